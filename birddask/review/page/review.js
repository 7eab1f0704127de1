// One detection at a time: look, listen, answer. Nothing counts as answered before the server says that it is kept.
// What comes from files and labels is only ever put in as text.

const part = (id) => document.getElementById(id);
const KEYS = { y: "yes", n: "no", u: "unsure", a: "other" };
const COMPLETIONS = 12;

let items = [];
let labels = [];
let at = 0;
let saving = false;
let touched = false; // browsers play nothing before somebody has pressed something

async function start() {
  const state = await (await fetch("state")).json();
  items = state.items;
  part("nothing").hidden = items.length > 0;
  if (!items.length) return;
  drawAxes(state);
  show(firstOpen(0) ?? items.length);
  labels = (await (await fetch("labels")).json()).labels;
}

function drawAxes(state) {
  const panels = part("panels");
  for (const marks of state.channels) {
    const panel = add(panels, "div", "panel");
    const image = add(panel, "img");
    image.alt = "";
    image.addEventListener("error", () => note("No picture: the mels of this clip are not at hand."));
    for (const mark of marks) add(panel, "span", "mark", mark.text).style.bottom = `${100 * mark.place}%`;
  }
  add(panels, "div").id = "playhead";
  for (const mark of state.times) add(part("times"), "span", "mark", mark.text).style.left = `${100 * mark.place}%`;
}

function add(parent, tag, kind = "", text = "") {
  const made = parent.appendChild(document.createElement(tag));
  made.className = kind;
  made.textContent = text;
  return made;
}

function firstOpen(from) {
  const order = [...items.keys()];
  return [...order.slice(from), ...order.slice(0, from)].find((number) => !items[number].verdict);
}

function show(number) {
  at = number;
  const item = items[at];
  part("main").hidden = !item;
  part("end").hidden = Boolean(item);
  closeAnother();
  tellProgress();
  const sound = part("sound");
  sound.pause();
  if (!item) return;
  part("common").textContent = item.common;
  part("scientific").textContent = item.scientific === item.common ? "" : item.scientific;
  part("where").textContent = where(item);
  document.querySelectorAll("#panels img").forEach((image, channel) => {
    image.src = `items/${at}/picture/${channel}`;
  });
  for (const button of part("verdicts").children)
    button.setAttribute("aria-pressed", String(button.dataset.verdict === item.verdict));
  part("notes").replaceChildren();
  loadSound(at).catch(() => note("No sound: the server does not answer."));
}

function note(words) {
  add(part("notes"), "p", "note", words);
}

async function loadSound(number) {
  const sound = part("sound");
  URL.revokeObjectURL(sound.src);
  sound.removeAttribute("src");
  const reply = await fetch(`items/${number}/sound`);
  const [content, why] = reply.ok ? [await reply.blob(), ""] : [null, await reply.text()];
  if (number !== at) return;
  const slower = Number(reply.headers.get("X-Slower"));
  if (slower > 1) note(`The sound plays ${slower} times slower than it was.`);
  if (why) note(`No sound: ${why}`);
  if (!content) return;
  sound.src = URL.createObjectURL(content);
  if (touched) play();
}

function where(item) {
  const seconds = item.start_us / 1e6;
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value) => String(value).padStart(2, "0");
  const time = `${two(h)}:${two(m)}:${s.toFixed(1).padStart(4, "0")}`;
  const began = item.start_time_us === null ? "" : ` · ${new Date(item.start_time_us / 1000).toISOString().replace("T", " ").slice(0, 19)} UTC`;
  return `${item.site} · ${item.recording} at ${time}${began}`;
}

function tellProgress() {
  const answered = items.filter((item) => item.verdict).length;
  part("progress").value = answered / items.length;
  const own = items[at] ? items.filter((item) => item.scientific === items[at].scientific && item.common === items[at].common) : [];
  const ofOwn = own.length ? ` · of this species ${own.filter((item) => item.verdict).length} of ${own.length}` : "";
  part("count").textContent = `${answered} of ${items.length} answered${ofOwn}`;
}

async function answer(verdict, other = null) {
  if (saving || !items[at]) return;
  saving = true;
  const number = at;
  try {
    const reply = await fetch(`items/${number}/answer`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(other === null ? { verdict } : { verdict, other }),
    });
    if (!reply.ok) throw new Error(await reply.text());
    Object.assign(items[number], await reply.json());
  } catch (error) {
    const away = error instanceof TypeError;
    trouble(away ? "Not kept: the server does not answer. Start `birddask review` again, and open the address that it prints; all earlier answers are there." : `Not kept: ${error.message}`);
    saving = false;
    return;
  }
  saving = false;
  trouble("");
  const said = items[number];
  part("status").textContent = `Kept: ${said.common}: ${said.other ?? said.verdict}`;
  show(firstOpen((number + 1) % items.length) ?? items.length);
}

function trouble(words) {
  part("trouble").textContent = words;
  part("trouble").hidden = !words;
}

function openAnother() {
  part("another").hidden = false;
  part("other").value = items[at].other ?? "";
  complete();
  part("other").focus();
}

function closeAnother() {
  part("another").hidden = true;
  document.activeElement?.blur();
}

function complete() {
  const wanted = part("other").value.trim().toLowerCase();
  const fitting = wanted ? labels.filter((label) => label.toLowerCase().includes(wanted)) : [];
  const begins = (label) => label.toLowerCase().split("_").some((name) => name.startsWith(wanted));
  fitting.sort((one, other) => begins(other) - begins(one) || one.length - other.length);
  part("names").replaceChildren();
  for (const label of fitting.slice(0, COMPLETIONS)) add(part("names"), "option").value = label;
}

function play() {
  const sound = part("sound");
  sound.currentTime = 0;
  sound.play().catch(() => {}); // cut short by the next one, or not at hand, which the page says
}

function playOrStop() {
  if (part("sound").paused) play();
  else part("sound").pause();
}

function movePlayhead() {
  const sound = part("sound");
  const share = sound.duration > 0 ? Math.min(sound.currentTime / sound.duration, 1) : 0;
  part("playhead").style.left = `${100 * share}%`;
  part("playing").textContent = sound.paused ? "Play" : "Stop";
  if (!sound.paused) requestAnimationFrame(movePlayhead);
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !items.length) return;
  touched = true;
  if (event.target === part("other")) {
    if (event.key === "Escape") closeAnother();
    return;
  }
  const key = event.key.toLowerCase();
  const actions = {
    " ": playOrStop,
    arrowleft: () => show(Math.max(at - 1, 0)),
    arrowright: () => show(Math.min(at + 1, items.length)),
  };
  const onButton = event.target.tagName === "BUTTON" && key === " ";
  if (!(key in KEYS || key in actions) || onButton) return;
  event.preventDefault();
  if (event.repeat || saving) return;
  if (key in actions) actions[key]();
  else decide(KEYS[key]);
}

function decide(verdict) {
  if (!items[at]) return;
  if (verdict === "other") openAnother();
  else answer(verdict);
}

document.addEventListener("keydown", press);
document.addEventListener("click", () => { touched = true; }, true);
part("verdicts").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) decide(button.dataset.verdict);
});
part("another").addEventListener("submit", (event) => {
  event.preventDefault();
  const other = part("other").value.trim();
  if (other) answer("other", other);
});
part("other").addEventListener("input", complete);
part("cancel").addEventListener("click", closeAnother);
part("back").addEventListener("click", () => show(Math.max(at - 1, 0)));
part("skip").addEventListener("click", () => show(Math.min(at + 1, items.length)));
part("play").addEventListener("click", playOrStop);
part("panels").addEventListener("click", playOrStop);
for (const event of ["play", "pause", "seeked", "emptied"]) part("sound").addEventListener(event, movePlayhead);

start().catch(() => trouble("The server does not answer. Start `birddask review` again, and open the address that it prints."));
