"""The English words by which texts say who is speaking. Tables alone; `attributions.py` reads sentences with them."""

from __future__ import annotations


def _forms(verbs: str) -> dict[str, str]:
    """Return each form -> its base, of lines ``base third past participle-in-ing``; a line of one word is regular."""
    forms: dict[str, str] = {}
    for line in verbs.split("\n"):
        base, *given = line.split() or [""]
        for form in [base, *(given or _regular(base))]:
            forms[form] = base
    forms.pop("", None)
    return forms


def _regular(base: str) -> list[str]:
    if base.endswith("y") and base[-2:-1] not in "aeou":
        return [f"{base[:-1]}ies", f"{base[:-1]}ied", f"{base}ing"]
    stem = base[:-1] if base.endswith("e") else base
    return [f"{base}{'es' if base.endswith(('s', 'sh', 'ch')) else 's'}", f"{stem}ed", f"{stem}ing"]


# Their subject speaks, whatever it is: "the driver said".
SAYING = _forms("""say says said saying
tell tells told telling
write writes wrote written writing
tweet
state
claim
announce
warn
explain
insist
argue
assert
declare
reply
respond
remark
comment
add
stress
emphasise
emphasize
allege
contend
admit admits admitted admitting
acknowledge
concede
deny
reiterate
caution
complain
testify
joke
boast
vow
pledge
promise
threaten
opine
quip quips quipped quipping
muse
exclaim
recount
speculate
theorise
theorize
believe""")

# Their subject speaks when it is a person, an organisation or a document: "the report notes", not "the smoke suggests".
REPORTING = _forms("""report
note
maintain
reveal
confirm
suggest
estimate
predict
conclude
recommend
propose
urge
demand
disclose
observe
describe
think thinks thought thinking
fear
expect
recall
find finds found finding
show shows showed shown showing
demonstrate
indicate
determine
point points pointed pointing
blame
accuse
advise
lament
chant
shout
tout
mention""")

# "X called Y a Z", "X described Y as Z".
CALLING = _forms("""call
label labels labelled labeled labelling
brand
dub dubs dubbed dubbing
characterise
characterize
dismiss
denounce
hail
depict
portray
describe""")

# A document gives a number: "the statement puts the dead at 370".
PUTTING = _forms("put puts putting\nplace")

CUES = {**PUTTING, **CALLING, **REPORTING, **SAYING}

# "claimed to have" and "vowed to" are speech; "was told to" and "believed to be" are not.
WITH_TO = frozenset("claim vow pledge promise threaten".split())
# Speech only beside a quotation or "that": "she added" and "it responded to".
WITH_QUOTATION = frozenset(
    "respond reply comment remark joke quip muse exclaim chant shout boast complain add mention lament".split()
)
# Speech with "that" or a quotation, otherwise mostly something else: "maintained its hold", "conceded a goal".
WITH_THAT = frozenset(
    "maintain observe determine assert contend declare admit acknowledge concede recall threaten promise pledge vow "
    "fear think expect write claim find show demonstrate indicate conclude".split()
)
# What such a verb may stand before as well.
LIKE_THAT = frozenset("that how why what whether there it he she they no having being any nothing".split())
# Without a mark before it, an end of a sentence such as "officials are warning" says who spoke it.
FINAL = frozenset(
    "said says say warned warns warning wrote writes added adds reported claimed argued argues insisted explained "
    "noted announced told believe thinks think".split()
)
# What makes "states" a verb.
AFTER_STATES = LIKE_THAT | frozenset("the a an its our this these those in as".split())
# Nouns as well: "a state", "the claim that". As they stand they are verbs before "that" alone.
ALSO_NOUNS = frozenset(
    "state claim report note comment demand call estimate promise remark place show find fear point brand label cite "
    "quote tweet tout dub hail joke boast vow pledge remark caution stress".split()
)
# After participles: "the mechanisms stated here".
AFTER_PARTICIPLE = frozenset("here above below by elsewhere earlier previously".split())
# "call for", "call on" are speech; "call off", "call to" are not.
AFTER_CALL = frozenset("for on him her them it this that these those us me".split())

BE = frozenset("is are was were be been being am s re".split())
AUXILIARIES = BE | frozenset("has have had will would can could may might must should do does did ve".split())
ADVERBS = frozenset(
    "also now then later earlier recently today yesterday previously repeatedly again further often just once "
    "still even already always ever first since only both all".split()
)
NEGATIONS = frozenset(
    "not never t fails failed fail refused refuses refuse declined declines decline hardly without didn doesn don "
    "cannot neither nor nobody no".split()
)
# "Would say" has not been said.
POSSIBLE = frozenset("would could might may should must".split())
HYPOTHESES = frozenset("if whether unless".split())

PRONOUNS = frozenset("he she they".split())
# They name no one.
NAMELESS = frozenset(
    "i we you it who which that this these those there some many others most few one none everyone everybody someone "
    "anyone people nobody what both all us them him her me".split()
)
DETERMINERS = frozenset(
    "the a an this that these those his her its their our my your one two three four five six seven eight nine ten "
    "some several many most all both each every another other few various numerous multiple no".split()
)
PREPOSITIONS = frozenset(
    "of for from including in at with on by to into over under against about between among during after before since "
    "through along amid throughout beyond despite except "
    "near within outside inside across around behind toward towards until upon via without".split()
)
# They tie a name to what it belongs to: "a spokesman for the ministry", "the police in Delhi".
TIES = frozenset("of for from including in at with by".split())
# They begin a name.
HONORIFICS = frozenset("mr mrs ms dr sir".split())
# They begin a clause, too: "since the ministry announced".
CLAUSE_PREPOSITIONS = frozenset("since after before until".split())
CONJUNCTIONS = frozenset(
    "and but or while whereas although though because as when where if that which who what so than then however "
    "thus yet unless until since after before meanwhile nor whose whom how why".split()
)
PARTICLES = frozenset("de da di del der den van von bin ibn al el la le du dos das of ter".split())

# Written with a capital for standing first, never a name.
STARTERS = frozenset(
    "according taken given including following regarding despite therefore moreover furthermore additionally similarly "
    "finally indeed instead together altogether perhaps maybe please yes thanks welcome well here such more much "
    "nearly almost about around using based because due text abstract background methods results conclusion "
    "conclusions whenever wherever rather like unlike besides once even introduction objective objectives note "
    "notes update question answer summary discussion purpose aim soon "
    "aims keywords warning step table figure chapter section breaking correction analysis opinion video photo".split()
)
FIRST_PERSON = frozenset("i we my our me us you your".split())

DAYS_AND_MONTHS = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december".split()
)
TIMES = DAYS_AND_MONTHS | frozenset(
    "today yesterday tomorrow tonight last this next earlier later week month year morning evening afternoon night "
    "recently ago".split()
)
# Between a name and its verb: "a report released on Wednesday said".
PUBLISHED = frozenset("released published issued posted dated obtained aired broadcast".split())

_DOCUMENTS = (
    "report reports statement statements study studies survey surveys poll polls paper papers article articles "
    "editorial press release releases memo letter document documents review announcement proverb literature book "
    "bulletin communique dossier indictment filing"
)
_ORGANISATIONS = (
    "ministry department government police army military company agency council committee commission court group "
    "groups organisation organization organisations organizations association union party office team newspaper media "
    "magazine channel broadcaster network hospital university institute bank federation foundation charity authority "
    "authorities administration parliament embassy congress senate panel board outlet outlets station website press "
    "opposition command bureau service watchdog firm campaign"
)
_PEOPLE = (
    "official officials spokesman spokeswoman spokesperson spokespeople spokesmen source sources minister ministers "
    "president premier chancellor secretary governor mayor senator ambassador envoy diplomat diplomats lawmaker "
    "lawmakers politician politicians leader leaders head chief chairman chairwoman chair director coordinator "
    "commander general colonel captain officer officers soldier soldiers fighter fighters rebel rebels activist "
    "activists analyst analysts expert experts critic critics scientist scientists researcher researchers "
    "investigator investigators author authors colleagues doctor doctors nurse physician physicians professor teacher "
    "judge prosecutor prosecutors lawyer lawyers attorney defendant suspect suspects witness witnesses eyewitness "
    "eyewitnesses resident residents survivor survivors victim victims relative relatives family families villagers "
    "protesters supporters opponents members member participant participants respondent respondents observers "
    "commentators journalist journalists reporter reporters correspondent editor writer columnist historian historians "
    "economist economists aide adviser advisers advisor coach manager boss founder executive owner man men woman women "
    "father mother wife husband son daughter brother sister friend friends neighbour neighbours neighbor neighbors "
    "passenger passengers driver pilot worker workers employee employees student students monitors monitor "
    "campaigners advocates inspector detective sergeant lieutenant pundits staff "
    "king queen prince pope bishop monitors negotiators scholars inspectors firefighters rescuers medics enforcement"
)
DOCUMENTS = frozenset(_DOCUMENTS.split())
# Before a name: "coordinator Mark Lowcock".
TITLES = frozenset(word for word in _PEOPLE.split() if not word.endswith("s"))
# Part of how one is addressed: "Lady Marlow".
RANKS = frozenset(
    "president premier chancellor minister prime secretary senator governor mayor ambassador judge justice sheriff "
    "general colonel major lieutenant captain commander sergeant corporal constable admiral marshal brigadier king "
    "queen prince princess emperor empress tsar sultan sheikh baron baroness duke duchess earl count countess "
    "ayatollah imam rabbi pope cardinal bishop archbishop reverend saint sir lord lady dame doctor professor vice "
    "deputy".split()
)
SPEAKERS = DOCUMENTS | frozenset(f"{_ORGANISATIONS} {_PEOPLE}".split())

# Before a speaker without an article: "opposition sources", "media reports".
MODIFIERS = SPEAKERS | frozenset(
    "senior local foreign international national federal state public private former security intelligence health "
    "safety emergency relief coalition civil medical military rescue human rights news law previous recent early "
    "initial western eastern northern southern top other case new some several many most all unnamed anonymous "
    "pro anti ".split()
)
# Subjects of "says" that no one speaks by; a time stands there where the words before it were cut off.
SPEECHLESS = frozenset(
    "theorem theory thesis hypothesis lemma model equation article clause law rule rules rumour rumours rumor rumors "
    "sign label legend tradition logic plan estimates evidence results data findings analysis test tests figure "
    "figures fig table summer winter spring autumn season weekend".split()
)

# "according to plan": what follows the words without being a speaker.
NOT_ACCORDING = frozenset(
    "plan plans schedule instructions instruction manufacturer manufacturers manufacturer's manufactures protocol "
    "protocols procedure procedures guideline guidelines recommendation recommendations method methods definition "
    "definitions criteria standard standards rule rules law laws tradition custom customs size age type types need "
    "needs line lines fig figure table model whether how what their his its season helical symmetry "
    "previously following sequence reference principle principles manual findings test level "
    "levels number value values".split()
)

# Said of someone else's words: "X cited Y as saying", "quoted by the BBC".
CITING = _forms("cite\nquote")
# "..., described by X as Y": X speaks.
BY_FORMS = frozenset(
    "described called labelled labeled branded dubbed cited quoted reported claimed listed characterised characterized "
    "denounced hailed confirmed estimated announced regarded considered dismissed".split()
)
