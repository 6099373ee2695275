// Improves pages that work without it.
"use strict";

// Times in the reader's zone; the title keeps UTC.
const zoned = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "medium"});
for (const time of document.querySelectorAll("time[datetime]")) {
  time.textContent = zoned.format(new Date(time.dateTime));
}

// Buttons that copy the text of the element they name.
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}

// A form is sent once, however often its button is pressed.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
