"use strict";
// A moment of a motion, drawn. motion: int16 millimetres as stick_figure.py packs them; body: { fps, joints, chains };
// view: { moment, yaw, pitch }, seconds and radians.
// right leg, left leg, spine, right arm, left arm
const COLOURS = ["--orange", "--blue", "--ink", "--orange", "--blue"];

function decode(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Int16Array(bytes.buffer);
}
const framesOf = (motion, body) => motion.length / (3 * body.joints);
function drawMoment(context, motion, body, view, width, height) {
  const ink = getComputedStyle(document.documentElement);
  const frames = framesOf(motion, body);
  const begin = 3 * body.joints * Math.min(Math.floor(view.moment * body.fps), frames - 1);
  const cx = Math.cos(view.yaw), sx = Math.sin(view.yaw), cp = Math.cos(view.pitch), sp = Math.sin(view.pitch);
  const ox = motion[begin] / 1000, oz = motion[begin + 2] / 1000;
  const scale = height / 2.4;
  const project = (x, y, z) => {
    const a = x - ox, b = z - oz;
    const across = cx * a - sx * b, depth = sx * a + cx * b;
    return [width / 2 + scale * across, height * 0.88 - scale * (cp * y - sp * depth)];
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
  context.lineWidth = height / 80;
  body.chains.forEach((chain, index) => {
    context.strokeStyle = ink.getPropertyValue(COLOURS[index]);
    context.beginPath();
    chain.forEach((j, i) => (i ? context.lineTo(...joint(j)) : context.moveTo(...joint(j))));
    context.stroke();
  });
}
// dragging turns the view
function rotatable(canvas, view) {
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    view.yaw += event.movementX / 120;
    view.pitch = Math.max(-0.2, Math.min(1.4, view.pitch + event.movementY / 200));
  });
}
