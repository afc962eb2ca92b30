"use strict";

// Files: what is opened, saved and copied.

async function open(file) {
  say("");
  $("status").textContent = `Opening ${file.name}…`;
  const { image: number, error, note, ...facts } = await ask({ file });
  $("status").textContent = note ?? "";
  if (error) {
    say(error);
    return;
  }
  if (state.image) ask({ close: state.image.number });
  state.image = { number, name: file.name, ...facts };
  state.size = [0, 0];
  sides.left = sides.right = null;
  $("name").textContent = file.name;
  document.title = `${file.name} – dpid`;
  $("bench").classList.remove("empty");
  $("prompt").hidden = true;
  $("line").hidden = $("of-box").hidden = $("of-method").hidden = false;
  $("save").disabled = $("copy").disabled = $("width").disabled = false;
  $("width").max = facts.width;
  settingsChanged();
}

async function save() {
  const request = { image: state.image.number, size: state.size, ...settings() };
  const { png, error } = await ask({ ...request, png: true, lane: "save", later: true });
  if (!png) {
    if (error) say(error);
    return;
  }
  download(png, `${stem()}.png`);
}

async function chooseAutomatic() {
  if (!state.image) return;
  const request = { ...settings(), lambda: "auto", image: state.image.number, size: state.size, region: [0, 0, 1, 1] };
  const { found, error } = await ask({ ...request, lane: "auto" });
  if (error) say(error);
  if (found) setLambda(found.lambda);
}

function setLambda(value) {
  $("lambda").value = $("lambda-number").value = value;
  settingsChanged();
}

async function copy() {
  const text = $("command").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const range = document.createRange();
    range.selectNodeContents($("command"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
  }
  $("status").textContent = "Copied the command.";
}
