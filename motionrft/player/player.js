"use strict";
// Plays the motions of the element #players (motionrft/player/stick_figure.py says what is in it).
const { fps, joints, chains, entries } = JSON.parse(document.getElementById("players").textContent);
const pick = (id) => document.getElementById(id);
const state = { moment: 0, playing: true, yaw: 0.6, pitch: 0.15, left: null, right: null };
// right leg, left leg, spine, right arm, left arm
const COLOURS = ["--orange", "--blue", "--ink", "--orange", "--blue"];

function decode(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Int16Array(bytes.buffer);
}
function fill(select, names, chosen) {
  select.replaceChildren(...names.map((name, i) => new Option(name, i, false, i === chosen)));
  select.parentElement.hidden = names.length < 2;
}
function choose() {
  const entry = entries[+pick("backbone").value];
  const single = entry.models.length === 1;
  pick("view-right").parentElement.hidden = single;
  for (const side of ["left", "right"]) {
    const model = entry.models[+pick(side).value];
    state[side] = side === "right" && single ? null : decode(model.motions[+pick("prompt").value]);
    pick("name-" + side).textContent = model.model;
  }
}
function chooseBackbone() {
  const entry = entries[+pick("backbone").value];
  fill(pick("prompt"), entry.prompts, 0);
  pick("prompt").parentElement.hidden = false; // it says what is seen
  fill(pick("left"), entry.models.map((m) => m.model), 0);
  fill(pick("right"), entry.models.map((m) => m.model), entry.beside);
  choose();
}
const framesOf = (motion) => motion.length / (3 * joints);
function draw(canvas, motion) {
  const context = canvas.getContext("2d");
  const ink = getComputedStyle(document.documentElement);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const frames = framesOf(motion);
  const begin = 3 * joints * Math.min(Math.floor(state.moment * fps), frames - 1);
  const cx = Math.cos(state.yaw), sx = Math.sin(state.yaw), cp = Math.cos(state.pitch), sp = Math.sin(state.pitch);
  const ox = motion[begin] / 1000, oz = motion[begin + 2] / 1000;
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
  const joint = (j) => project(...[0, 1, 2].map((axis) => motion[begin + 3 * j + axis] / 1000));
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = 6;
  chains.forEach((chain, index) => {
    context.strokeStyle = ink.getPropertyValue(COLOURS[index]);
    context.beginPath();
    chain.forEach((j, i) => (i ? context.lineTo(...joint(j)) : context.moveTo(...joint(j))));
    context.stroke();
  });
}
let before = performance.now();
function tick(now) {
  const shown = ["left", "right"].filter((side) => state[side]);
  const frames = Math.max(...shown.map((side) => framesOf(state[side])));
  if (state.playing) state.moment += ((now - before) / 1000) * +pick("speed").value;
  for (const side of shown) draw(pick("view-" + side), state[side]);
  if (state.moment * fps >= frames) state.moment = 0;
  pick("scrub").value = (state.moment * fps) / frames;
  document.body.dataset.frame = Math.floor(state.moment * fps);
  before = now;
  requestAnimationFrame(tick);
}
if (entries.length) {
  fill(pick("backbone"), entries.map((entry) => entry.backbone), 0);
  pick("backbone").addEventListener("change", chooseBackbone);
  for (const id of ["prompt", "left", "right"]) pick(id).addEventListener("change", choose);
  pick("play").addEventListener("click", (event) => {
    state.playing = !state.playing;
    event.target.textContent = state.playing ? "Pause" : "Play";
    event.target.setAttribute("aria-pressed", state.playing);
  });
  pick("scrub").addEventListener("input", (event) => {
    state.playing = false; pick("play").textContent = "Play"; pick("play").setAttribute("aria-pressed", false);
    const longest = Math.max(...["left", "right"].map((side) => (state[side] ? framesOf(state[side]) : 0)));
    state.moment = (event.target.value * longest) / fps;
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
