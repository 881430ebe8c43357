// Modals, and word of a server that does not answer. Everything works without this file, too.
"use strict";

(() => {
  const root = document.getElementById("dialog-root");
  const problem = document.getElementById("problem");
  let opener = null;

  document.documentElement.classList.add("js");

  // Tells the server in which zone to show times; whoever chose one in the preferences gets that instead.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const secure = location.protocol === "https:" ? "; secure" : "";
  if (zone) document.cookie = `time_zone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;

  // A command on so many jobs that one request can't carry it out goes on with the next.
  const goesOn = document.querySelector("form[data-goes-on]");
  if (goesOn) goesOn.requestSubmit();

  // A form that goes to another page is sent once, however often its button is clicked; a page that comes back out
  // of the browser's memory may send it again.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-once]")) return;
    if (form.ariaBusy === "true") {
      event.preventDefault();
      return;
    }
    form.ariaBusy = "true";
    const note = form.querySelector("[data-sending]");
    if (note) note.textContent = note.dataset.sending;
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-once]")) form.ariaBusy = null;
  });
  if (!root) return;

  // Only what was put into this root is opened as a modal; a part of the page that polls never comes here.
  root.addEventListener("htmx:afterSwap", (event) => {
    if (event.target !== root) return;
    const dialog = root.querySelector("dialog");
    if (!dialog) return;
    dialog.addEventListener("close", () => {
      root.replaceChildren();
      const back = opener && document.getElementById(opener);
      (back || document.getElementById("messages")).focus();
      opener = null;
    });
    dialog.showModal();
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target === root && !root.contains(event.detail.elt)) opener = event.detail.elt.id;
  });

  // <button command="close"> for browsers without the Invoker Commands API.
  if (!("command" in HTMLButtonElement.prototype)) {
    root.addEventListener("click", (event) => {
      const button = event.target.closest('button[command="close"]');
      if (button) document.getElementById(button.getAttribute("commandfor")).close();
    });
  }

  // A button that its own answer took away leaves the focus at the line that tells what it did.
  document.addEventListener("htmx:afterSettle", (event) => {
    const sent = event.detail.requestConfig && event.detail.requestConfig.verb === "post";
    if (sent && document.activeElement === document.body) document.getElementById("messages").focus();
  });

  // A part that polls is swapped whole: not while somebody types in it, and what was unfolded in it stays so.
  let unfolded = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, requestConfig } = event.detail;
    const typing = document.activeElement.closest("input, textarea, select");
    if (requestConfig.verb === "get" && requestConfig.elt === target && target.contains(typing)) {
      event.detail.shouldSwap = false;
    }
    unfolded = [...target.querySelectorAll("details[open][id]")].map((each) => each.id);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of unfolded) {
      const details = document.getElementById(id);
      if (details) details.open = true;
    }
  });

  // A part that looks again by itself is known by its trigger; for everything else it was a person who asked.
  const pollOf = ({ requestConfig: { verb, elt } }) =>
    verb === "get" && (elt.getAttribute("hx-trigger") || "").startsWith("every ") ? elt.id : "";

  const tell = (text, poll) => {
    const dialog = root.querySelector("dialog[open]");
    const place = (dialog && dialog.querySelector("[data-problem]")) || problem;
    const told = place.querySelector("[data-told]");
    // What a click met with stays until the next click; and what a poll meets with every 2 s is read out once.
    if (poll && told && (!told.dataset.told || told.textContent === text)) return;
    const paragraph = document.createElement("p");
    paragraph.className = "message error";
    paragraph.textContent = text;
    paragraph.dataset.told = poll;
    place.replaceChildren(paragraph);
  };
  const unanswered = (event) => {
    const poll = pollOf(event.detail);
    tell(poll ? problem.dataset.stale : problem.dataset.lost, poll);
  };
  document.addEventListener("htmx:sendError", unanswered);
  document.addEventListener("htmx:timeout", unanswered);
  document.addEventListener("htmx:responseError", (event) => {
    const poll = pollOf(event.detail);
    const clicked = event.detail.xhr.status >= 500 ? problem.dataset.failed : problem.dataset.refused;
    tell(poll ? problem.dataset.stale : clicked, poll);
  });
  // An answer to a click takes back whatever was told; a poll that succeeds only what it met with itself.
  document.addEventListener("htmx:afterOnLoad", (event) => {
    if (!event.detail.successful) return;
    const poll = pollOf(event.detail);
    for (const told of document.querySelectorAll("[data-told]")) {
      if (!poll || told.dataset.told === poll) told.remove();
    }
  });
})();
