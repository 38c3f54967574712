// Runs once. What Python puts here goes to the clipboard or to the downloads folder, byte for byte.
watch("value", async () => {
  const parcel = element.querySelector("i[data-kind]");
  if (!parcel) return;
  const bytes = Uint8Array.from(atob(parcel.dataset.body), (char) => char.charCodeAt(0));
  if (parcel.dataset.kind === "copy") {
    const text = new TextDecoder().decode(bytes);
    await navigator.clipboard?.writeText(text).catch(() => {});
    window.dispatchEvent(new CustomEvent("pincite-told", { detail: "Copied." }));
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = parcel.dataset.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});
