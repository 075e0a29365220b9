// Loads before everything else, and begins again when a part of the page can't be loaded: browsers drop what is under way
// when the machine's networks change, as they do while containers start. The number of tries outlasts a reload in the history.
const tries = history.state?.tries ?? 0;
let again = false;

addEventListener("error", (event) => {
  if (again || !(event.target instanceof HTMLScriptElement || event.target instanceof HTMLLinkElement) || tries === 5) return;
  again = true;
  history.replaceState({ tries: tries + 1 }, "");
  setTimeout(() => location.reload(), 200 * 2 ** tries);
}, true); // Errors of elements don't bubble.
