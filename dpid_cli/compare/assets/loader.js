"use strict";

// The first script of a page, after packed.js: inflates the other scripts, and starts the last, that of the page.
// The policy of the page knows them by their hash.

(async () => {
  for (const element of document.querySelectorAll("script[data-length]")) {
    const code = await Packed.inflated(element.textContent, Number(element.dataset.length));
    element.textContent = new TextDecoder().decode(code);
  }
  const script = document.createElement("script");
  script.textContent = document.getElementById("script").textContent;
  document.body.append(script);
})().catch((error) => {
  const alert = document.getElementById("alert");
  alert.textContent = `This browser cannot show the images: ${error.message}`;
  alert.hidden = false;
});
