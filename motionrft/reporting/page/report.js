"use strict";
// --- sortable, filterable tables
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const x = key(a), y = key(b);
      if (x === "" || y === "") return (x === "") - (y === ""); // rows without a number stay last
      const numeric = !isNaN(x) && !isNaN(y);
      const order = numeric ? x - y : String(x).localeCompare(String(y));
      return up ? order : -order;
    });
    table.tBodies[0].append(...rows);
  }));
}
document.getElementById("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const row of document.querySelectorAll("#tables tbody tr")) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
  }
});

// --- motion player
const CHAINS = [[0, 2, 5, 8, 11], [0, 1, 4, 7, 10], [0, 3, 6, 9, 12, 15], [9, 14, 17, 19, 21], [9, 13, 16, 18, 20]];
const FPS = 20;
const data = JSON.parse(document.getElementById("players").textContent);
const pick = (id) => document.getElementById(id);
const state = { moment: 0, playing: true, yaw: 0.6, pitch: 0.15, left: null, right: null };

function decode(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Int16Array(bytes.buffer);
}
function fill(select, names, chosen) {
  select.replaceChildren(...names.map((name, i) => new Option(name, i, false, i === chosen)));
}
function choose() {
  const entry = data[+pick("backbone").value];
  if (!entry) return;
  for (const side of ["left", "right"]) {
    const model = entry.models[+pick(side).value];
    state[side] = decode(model.motions[+pick("prompt").value]);
    pick("name-" + side).textContent = model.model;
  }
}
function chooseBackbone() {
  const entry = data[+pick("backbone").value];
  if (!entry) return;
  fill(pick("prompt"), entry.prompts, 0);
  fill(pick("left"), entry.models.map((m) => m.model), 0);
  fill(pick("right"), entry.models.map((m) => m.model), entry.beside);
  choose();
}
function draw(canvas, motion) {
  const context = canvas.getContext("2d");
  const ink = getComputedStyle(document.documentElement);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const frames = motion.length / 66;
  const frame = Math.min(Math.floor(state.moment * FPS), frames - 1);
  const cx = Math.cos(state.yaw), sx = Math.sin(state.yaw), cp = Math.cos(state.pitch), sp = Math.sin(state.pitch);
  const ox = motion[frame * 66] / 1000, oz = motion[frame * 66 + 2] / 1000;
  const scale = canvas.height / 2.4;
  const project = (x, y, z) => {
    const a = x - ox, b = z - oz;
    const across = cx * a - sx * b, depth = sx * a + cx * b;
    return [canvas.width / 2 + scale * across, canvas.height * 0.88 - scale * (cp * y - sp * depth)];
  };
  context.strokeStyle = ink.getPropertyValue("--line");
  context.lineWidth = 1;
  for (let k = -4; k <= 4; k++) { // the floor moves under the body
    const gx = Math.round(ox) + k, gz = Math.round(oz) + k;
    for (const [from, to] of [[[gx, 0, oz - 4], [gx, 0, oz + 4]], [[ox - 4, 0, gz], [ox + 4, 0, gz]]]) {
      context.beginPath(); context.moveTo(...project(...from)); context.lineTo(...project(...to)); context.stroke();
    }
  }
  const joint = (j) => project(motion[frame * 66 + 3 * j] / 1000, motion[frame * 66 + 3 * j + 1] / 1000, motion[frame * 66 + 3 * j + 2] / 1000);
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = 6;
  CHAINS.forEach((chain, index) => {
    context.strokeStyle = ink.getPropertyValue([0, 3].includes(index) ? "--orange" : [1, 4].includes(index) ? "--blue" : "--ink");
    context.beginPath();
    chain.forEach((j, i) => (i ? context.lineTo(...joint(j)) : context.moveTo(...joint(j))));
    context.stroke();
  });
  return frames;
}
let before = performance.now();
function tick(now) {
  if (state.left) {
    if (state.playing) state.moment += ((now - before) / 1000) * +pick("speed").value;
    const frames = Math.max(draw(pick("view-left"), state.left), draw(pick("view-right"), state.right));
    if (state.moment * FPS >= frames) state.moment = 0;
    pick("scrub").value = (state.moment * FPS) / frames;
    document.body.dataset.frame = Math.floor(state.moment * FPS);
  }
  before = now;
  requestAnimationFrame(tick);
}
if (data.length) {
  fill(pick("backbone"), data.map((entry) => entry.backbone), 0);
  pick("backbone").addEventListener("change", chooseBackbone);
  for (const id of ["prompt", "left", "right"]) pick(id).addEventListener("change", choose);
  pick("play").addEventListener("click", (event) => {
    state.playing = !state.playing;
    event.target.textContent = state.playing ? "Pause" : "Play";
    event.target.setAttribute("aria-pressed", state.playing);
  });
  pick("scrub").addEventListener("input", (event) => {
    state.playing = false; pick("play").textContent = "Play";
    state.moment = (event.target.value * Math.max(state.left.length, state.right.length)) / 66 / FPS;
  });
  for (const id of ["view-left", "view-right"]) {
    const canvas = pick(id);
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (!event.buttons) return;
      state.yaw += event.movementX / 120;
      state.pitch = Math.max(-0.2, Math.min(1.4, state.pitch + event.movementY / 200));
    });
  }
  chooseBackbone();
  requestAnimationFrame(tick);
} else {
  pick("motions").hidden = true;
}
