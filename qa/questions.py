"""What somebody typed -> the question as it is searched and read. Pure.

People who chat write "could you please tell me who controls Idlib". The reader knows plain questions, and words around
one cost answers (docs/decisions/0019-plain-questions.md).
"""

from __future__ import annotations

import re

from index.documents import canonical_text
from qa.errors import QuestionError

MAX_QUESTION_CHARACTERS = 4000

_QUESTION_WORDS = "who(?:m|se)?|what|which|when|where|why|how"
_ASKED = rf"(?:(?:about|at|by|for|from|in|of|on|since|to|until|under|with) )?(?:{_QUESTION_WORDS})\b"
_DOCUMENTS = (
    r"(?:(?:the|these|this|those|your|my) )?"
    r"(?:documents?|texts?|articles?|files?|sources?|corpus|collection|passages?|folder)"
)
_ACCORDING = rf"(?:according to|based on) {_DOCUMENTS}"
_ANYONE = "(?:you|we|they|(?:any|some)(?:one|body))"
_TELL = (
    r"(?:tell|inform|show|remind|explain|clarify|let|find out)"
    r"(?:,? please)?(?: to)?(?: (?:me|us))?(?: know)?(?: about)?"
)
_LEADS_UP = (
    r"(?:hi|hello|hey|thanks|thank you|good (?:morning|afternoon|evening)|excuse me|sorry)(?: (?:there|all))?",
    r"ok|okay|so|well|now|and|but|then|please|kindly",
    rf"(?:(?:can|could|would|will) {_ANYONE},? )?(?:(?:please|kindly|help me),? )?{_TELL}",
    rf"(?:do|does|did|would) {_ANYONE}(?: happen to)? (?:know|remember)(?: about)?",
    rf"(?:do|does|did|can|could) {_DOCUMENTS} (?:say|state|mention|report|describe|{_TELL})",
    r"(?:i|we)(?:['’ ](?:d|m|am|would))?(?: (?:just|also|really))? (?:like|love|want|need|wish|have|try|trying) to"
    r" (?:know|find out|learn|understand|ask(?: you)?|see)(?: about)?",
    r"(?:i|we)(?:['’ ](?:m|am|was))?(?: just)? (?:wonder(?:ing)?|curious|interested|unsure|not sure)"
    r"(?: to know| in knowing| in| about)?",
    r"(?:do you have |have you )?(?:any|an) idea(?: of| about)?",
    r"is it (?:known|said|stated|mentioned|reported)",
    r"(?:(?:my|the|a|one|another|next|quick) )*question(?: is)?",
    _ACCORDING,
)
# Possessive and atomic: what was matched once is not tried in another way, so time stays linear.
_FRAME = re.compile(rf"\W*+(?>(?:{'|'.join(_LEADS_UP)})\b[ ,.!:;–-]++)++(?={_ASKED})", re.IGNORECASE)
_WHAT_IS = re.compile(
    r"\W*(?:(?:can|could|would|will) you,? )?(?:please,? )?(?:tell|give|show) (?:me|us) (?=the\b)", re.IGNORECASE
)
_CLOSING = re.compile(rf",? (?:please|thanks|thank you|{_ACCORDING})(?=\W*\Z)", re.IGNORECASE)
# "who Ida Marlow is", as it stands after "tell me"
_VERB_LAST = re.compile(
    r"(who|what|where|how(?: \w+)?) "
    r"((?:(?-i:[A-Z\d])|(?:the|an?|his|her|its|their|this|that|these|those) ).*) (is|are|was|were)",
    re.IGNORECASE | re.DOTALL,
)
_SHOUTED = re.compile(rf"\W*(?:{_QUESTION_WORDS})\b.* .* ", re.IGNORECASE)  # three words or more, WHO may be a name


def clean_question(question: str) -> str:
    """Return a question as it was typed: canonical, control characters out, one line.

    Raises:
        QuestionError: it has no letter or digit, or more than 4,000 characters.
    """
    if len(question) > MAX_QUESTION_CHARACTERS:
        raise QuestionError(
            f"The question has {len(question):,} characters; at most {MAX_QUESTION_CHARACTERS:,} characters are read."
        )
    text = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", canonical_text(question)).split())
    if not re.search(r"\w", text):
        raise QuestionError("Please type a question.")
    return text


def plain_question(question: str) -> str:
    """Return the question alone, of a clean one, with a question mark: "who is Ida?" of "can you tell me who Ida is".

    "Tell me the population of Rome" asks what it is. What is shouted is said in small letters.
    """
    text = _CLOSING.sub("", question)
    if framed := _FRAME.match(text):
        text = text[framed.end() :].rstrip(" .!?")
        late = _VERB_LAST.fullmatch(text)
        text = f"{late[1]} {late[3]} {late[2]}" if late else text
    elif told := _WHAT_IS.match(text):
        text = f"what is {text[told.end() :]}"
    elif text.isupper() and _SHOUTED.match(text):
        text = text.lower()
    else:
        return f"{text}?" if text[-1:].isalnum() else text
    return f"{text.rstrip(' .!?')}?"
