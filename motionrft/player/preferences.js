"use strict";
// One comparison after another of the element #comparisons (motionrft/player/preferences.py says what is in it).
// choices: of each comparison "left", "right" or "tie", kept in localStorage; pairs.csv holds the decided ones.
const { files, pairs, key, ...body } = JSON.parse(document.getElementById("comparisons").textContent);
const pick = (id) => document.getElementById(id);
const COLUMNS = ["caption", "winner_file", "winner_index", "loser_file", "loser_index", "rater", "winner_digest", "loser_digest"];
const STORE = "motionrft preferences " + key;
const view = { moment: 0, playing: true, yaw: 0.6, pitch: 0.15 };
const motions = pairs.map((pair) => pair.motions.map(decode));
let choices = {}, current = 0;

function remember() {
  try {
    localStorage.setItem(STORE, JSON.stringify({ choices, rater: pick("rater").value }));
  } catch {
    pick("message").textContent = "This browser keeps nothing between visits: save pairs.csv before you leave.";
  }
}
function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORE) ?? "{}");
    choices = kept.choices ?? {};
    pick("rater").value = kept.rater ?? "";
  } catch {
    choices = {};
  }
}
const decided = () => Object.keys(choices).length;
const firstOpen = () => pairs.findIndex((_, index) => !(index in choices));
function show(index) {
  current = index;
  view.moment = 0;
  pick("caption").textContent = pairs[index].caption;
  const ties = Object.values(choices).filter((choice) => choice === "tie").length;
  pick("progress").textContent = `${decided()} of ${pairs.length} compared` + (ties ? `, ${ties} without a choice. ` : ". ");
  for (const id of ["left", "right", "tie"]) pick(id).setAttribute("aria-pressed", choices[index] === id);
  pick("back").disabled = index === 0;
  document.body.dataset.pair = index;
  document.body.dataset.decided = decided();
}
function choose(choice) {
  choices[current] = choice;
  pick("message").textContent = "";
  remember();
  const next = current + 1 < pairs.length && !(current + 1 in choices) ? current + 1 : firstOpen();
  if (next < 0) pick("message").textContent = "All are compared. Save pairs.csv.";
  show(next < 0 ? current : next);
}
// the motion at the left is that of files[pair.left]; its row in that file is pair.rows[pair.left]
function record(index) {
  const pair = pairs[index];
  const winner = choices[index] === "left" ? pair.left : 1 - pair.left, loser = 1 - winner;
  return [
    pair.caption, files[winner].name, pair.rows[winner], files[loser].name, pair.rows[loser],
    pick("rater").value, files[winner].digest, files[loser].digest,
  ];
}
const quoted = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
function table() {
  const rows = pairs.map((_, index) => index).filter((index) => ["left", "right"].includes(choices[index])).map(record);
  return [COLUMNS, ...rows].map((row) => row.map(quoted).join(",") + "\n").join("");
}
function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  link.download = "pairs.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
function parse(text) {
  const rows = [[""]];
  let open = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i], row = rows.at(-1);
    if (open && c === '"' && text[i + 1] === '"') { row[row.length - 1] += c; i++; }
    else if (c === '"') open = !open;
    else if (c === "," && !open) row.push("");
    else if (c === "\n" && !open) rows.push([""]);
    else if (c !== "\r" || open) row[row.length - 1] += c;
  }
  return rows.filter((row) => row.length > 1);
}
function restore(text) {
  const [head, ...rows] = parse(text);
  const names = head ?? [];
  if (!COLUMNS.slice(0, 5).every((name) => names.includes(name))) {
    pick("message").textContent = `This is no pairs.csv: it needs the columns ${COLUMNS.slice(0, 5).join(", ")}.`;
    return;
  }
  let taken = 0;
  for (const row of rows) {
    const value = (name) => row[names.indexOf(name)] ?? "";
    const digest = (name) => value(name) || null;
    const index = pairs.findIndex((pair) => [0, 1].some((winner) =>
      value("winner_file") === files[winner].name && +value("winner_index") === pair.rows[winner] &&
      value("loser_file") === files[1 - winner].name && +value("loser_index") === pair.rows[1 - winner] &&
      [null, files[winner].digest].includes(digest("winner_digest")) && [null, files[1 - winner].digest].includes(digest("loser_digest"))));
    if (index < 0) continue;
    const pair = pairs[index];
    const won = value("winner_file") === files[0].name && +value("winner_index") === pair.rows[0] ? 0 : 1;
    choices[index] = won === pair.left ? "left" : "right";
    pick("rater").value ||= value("rater");
    taken++;
  }
  remember();
  pick("message").textContent = `${taken} of ${rows.length} rows are comparisons of this page.`;
  show(Math.max(firstOpen(), 0));
}
function play(playing) {
  view.playing = playing;
  pick("play").firstChild.textContent = playing ? "Pause " : "Play ";
  pick("play").setAttribute("aria-pressed", playing);
}
let before = performance.now();
function tick(now) {
  const pair = pairs[current];
  const sides = [motions[current][pair.left], motions[current][1 - pair.left]];
  if (view.playing) view.moment += (now - before) / 1000;
  before = now;
  // a short hold at the end says where the motion ends
  if (view.moment > Math.max(...sides.map((motion) => framesOf(motion, body))) / body.fps + 0.4) view.moment = 0;
  ["view-left", "view-right"].forEach((id, side) => {
    const { width, height } = pick(id), context = pick(id).getContext("2d");
    context.clearRect(0, 0, width, height);
    drawMoment(context, sides[side], body, view, width, height);
  });
  requestAnimationFrame(tick);
}
const KEYS = {
  ArrowLeft: () => choose("left"), ArrowRight: () => choose("right"), ArrowDown: () => choose("tie"),
  Backspace: () => show(Math.max(current - 1, 0)), " ": () => play(!view.playing), s: save,
};
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault(); // no second press of the button in focus, no scrolling
  act();
});
for (const choice of ["left", "right", "tie"]) pick(choice).addEventListener("click", () => choose(choice));
pick("back").addEventListener("click", () => show(Math.max(current - 1, 0)));
pick("play").addEventListener("click", () => play(!view.playing));
pick("save").addEventListener("click", save);
pick("rater").addEventListener("change", remember);
pick("load").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) restore(await file.text());
});
for (const id of ["view-left", "view-right"]) rotatable(pick(id), view);
recall();
show(Math.max(firstOpen(), 0));
requestAnimationFrame(tick);
