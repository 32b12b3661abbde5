"use strict";
// The page's side: controls and pictures are bound to the shared screen, by name.
window.daskstemExplorer = (screen, sources) => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);
  const limit = (value, low, high) => Math.min(Math.max(value, low), high);
  const shape = sources.shape;

  // --- requests: the next is sent when the last is answered, older ones in between are left out
  const waiting = {};
  const sent = {};
  const ask = (channel, patch) => {
    waiting[channel] = { ...waiting[channel], ...patch };
    send(channel);
  };
  const send = (channel) => {
    const busy = (sent[channel] || 0) > (screen.answered[channel] || 0);
    if (busy || !waiting[channel]) return;
    const patch = waiting[channel];
    delete waiting[channel];
    sent[channel] = (sent[channel] || 0) + 1;
    screen.setv({ ...patch, asked: { ...screen.asked, [channel]: sent[channel] } });
  };
  screen.properties.answered.change.connect(() => Object.keys(waiting).forEach(send));
  const wanted = (channel, name) => (waiting[channel] || {})[name] ?? screen[name];

  // --- controls
  const read = (control) => {
    if (control.type === "checkbox") return control.checked;
    if (control.type === "number" || control.type === "range") {
      return control.value === "" || !control.validity.valid ? undefined : Number(control.value);
    }
    return control.value;
  };
  const write = (control, value) => {
    // what is being dragged or typed is ahead of what has been sent
    const typing = control.type === "number" && document.activeElement === control;
    if (typing || control.dataset.dragged) return;
    if (control.type === "checkbox") control.checked = value;
    else {
      control.value = value === null ? "" : control.type === "number" ? Number(Number(value).toFixed(3)) : value;
    }
  };
  const conditional = () => all("[data-only]").forEach((element) => {
    const [name, value] = element.dataset.only.split("=");
    element.hidden = screen[name] !== value;
  });
  for (const control of all("[data-state]")) {
    const name = control.dataset.state;
    const show = () => write(control, screen[name]);
    show();
    screen.properties[name].change.connect(() => { show(); conditional(); });
    control.addEventListener("pointerdown", () => { control.dataset.dragged = "yes"; });
    for (const end of ["pointerup", "pointercancel", "change"]) {
      control.addEventListener(end, () => { delete control.dataset.dragged; });
    }
    control.addEventListener("input", () => {
      const value = read(control);
      if (value !== undefined) choose(name, value, control.dataset.channel);
    });
  }
  conditional();
  const choose = (name, value, channel) => {
    const patch = { [name]: value };
    if (name === "threshold" || name === "min_size") Object.assign(patch, cutInSight());
    if (channel === "detector") Object.assign(patch, { shown: "drawn" });
    ask(channel, patch);
  };
  // a threshold that changes nothing to be seen would puzzle
  const cutInSight = () => (screen.shown === "cut" || screen.outlined === "cut" ? {} : { shown: "cut" });

  // --- what the process says
  const facts = () => {
    for (const element of all("[data-fact]")) {
      const text = screen.facts[element.dataset.fact] || "";
      if (element.tagName === "TEXTAREA") { if (element.value !== text) element.value = text; }
      else if (element.textContent !== text) element.textContent = text;
    }
    for (const legend of all("[data-legend]")) {
      const palette = screen.facts[`${legend.dataset.legend}_palette`] || "";
      legend.dataset.colors = palette;
      legend.firstElementChild.style.background = palette && `linear-gradient(90deg, ${sources.palettes[palette]})`;
    }
    const share = screen.facts.share;
    const scan = one(".picture");
    scan.classList.toggle("busy", Boolean(share));
    if (share) scan.style.setProperty("--share", share);
  };
  screen.properties.facts.change.connect(facts);
  facts();
  const values = () => all("[data-value]").forEach((element) => {
    element.textContent = Number(screen[element.dataset.value]).toFixed(3);
  });
  screen.properties.threshold.change.connect(values);
  values();
  const lists = () => all("[data-list]").forEach((list) => {
    list.replaceChildren(...screen[list.dataset.list].flatMap(([name, text]) => {
      const term = document.createElement("dt");
      const value = document.createElement("dd");
      term.textContent = name;
      value.textContent = text;
      return [term, value];
    }));
  });
  const rows = () => all("[data-rows]").forEach((table) => {
    const cells = (texts, kind) => texts.map((text) => {
      const cell = document.createElement(kind);
      cell.textContent = text;
      return cell;
    });
    const lines = screen[table.dataset.rows].map((texts) => {
      const line = document.createElement("tr");
      line.dataset.number = texts[0];
      line.append(...cells(texts, "td"));
      line.addEventListener("click", () => ask("click", { picked: Number(texts[0]) }));
      return line;
    });
    const head = document.createElement("tr");
    head.append(...cells(table.dataset.head.split("|"), "th"));
    table.replaceChildren(...(lines.length ? [head, ...lines] : []));
  });
  for (const name of ["cluster", "quality"]) screen.properties[name].change.connect(lists);
  screen.properties.neighbors.change.connect(rows);
  lists();
  rows();

  // --- the cursor
  let held = false;
  const cursorTo = (y, x) => {
    y = limit(y, 0, shape.scan[0] - 1);
    x = limit(x, 0, shape.scan[1] - 1);
    sources.cursor.data = { x: [x], y: [y] };
    ask("pattern", { y, x });
  };
  const position = () => [sources.cursor.data.y[0], sources.cursor.data.x[0]];
  const inside = (y, x, [rows, columns]) => y >= -0.5 && x >= -0.5 && y < rows - 0.5 && x < columns - 0.5;
  const scanMove = (event) => {
    if (held || !inside(event.y, event.x, shape.scan)) return;
    const [y, x] = [Math.round(event.y), Math.round(event.x)];
    const [oldY, oldX] = position();
    if (y !== oldY || x !== oldX) cursorTo(y, x);
  };
  const scanTap = (event) => {
    if (!inside(event.y, event.x, shape.scan)) return;
    held = true;
    cursorTo(Math.round(event.y), Math.round(event.x));
    const extend = Boolean(event.modifiers && (event.modifiers.shift || event.modifiers.ctrl));
    pick(extend);
  };
  const pick = (extend) => {
    const [y, x] = position();
    ask("click", { picked_y: y, picked_x: x, picked: -1, extend });
  };
  const letGo = () => {
    held = false;
    ask("click", { picked: -2, extend: false });
  };

  // --- the detector drawn on the pattern
  let grip = null;
  const detector = () => ({ y: screen.center_y, x: screen.center_x, inner: screen.inner, outer: screen.outer });
  const drawDetector = ({ y, x, inner, outer }) => {
    const radii = inner > 0 ? [inner, outer] : [outer];
    sources.detector.data = {
      x: radii.map(() => x), y: radii.map(() => y), width: radii.map((r) => 2 * r), height: radii.map((r) => 2 * r),
    };
  };
  const setDetector = (next) => {
    drawDetector(next);
    ask("detector", { center_y: next.y, center_x: next.x, inner: next.inner, outer: next.outer, shown: "drawn" });
  };
  const patternPanStart = (event) => {
    const old = detector();
    const away = Math.hypot(event.y - old.y, event.x - old.x);
    const near = Math.max(2, shape.detector[0] / 60);
    const held = Math.abs(away - old.outer) <= near ? "outer"
      : old.inner > 0 && Math.abs(away - old.inner) <= near ? "inner"
        : away < old.outer ? "move" : "new";
    grip = { held, old, y: event.y, x: event.x };
  };
  const patternPan = (event) => {
    if (!grip) return;
    const { held, old } = grip;
    const radius = Math.hypot(event.y - old.y, event.x - old.x);
    if (held === "outer") setDetector({ ...old, outer: Math.max(radius, old.inner + 1) });
    else if (held === "inner") setDetector({ ...old, inner: limit(radius, 0, old.outer - 1) });
    else if (held === "move") setDetector({ ...old, y: old.y + event.y - grip.y, x: old.x + event.x - grip.x });
    else {
      const outer = Math.max(1, Math.hypot(event.y - grip.y, event.x - grip.x));
      setDetector({ y: grip.y, x: grip.x, inner: old.inner > 0 ? outer / 2 : 0, outer });
    }
  };
  const patternPanEnd = () => { grip = null; };
  for (const name of ["center_y", "center_x", "inner", "outer"]) {
    screen.properties[name].change.connect(() => { if (!grip) drawDetector(detector()); });
  }
  drawDetector(detector());

  // --- scale bars, of round lengths at every zoom
  const drawBar = (name) => {
    const { step, units } = sources.scales[name];
    const plot = sources.plots[name];
    const across = Math.abs(plot.x_range.end - plot.x_range.start) * step;
    if (!(across > 0) || !plot.inner_width) return;
    const longest = 0.28 * across;
    const decade = 10 ** Math.floor(Math.log10(longest));
    let length = [1, 2, 5].filter((f) => f * decade <= longest * (1 + 1e-9)).pop() * decade;
    if (units === "px" || units === "positions") length = Math.max(1, length);
    const bar = one(`[data-bar="${name}"]`);
    const [shown, unit] = units === "nm" && length >= 1000 ? [length / 1000, "µm"] : [length, units];
    bar.firstElementChild.textContent = `${Number(shown.toPrecision(3))} ${unit}`;
    bar.lastElementChild.style.width = `${(length / across) * plot.inner_width}px`;
  };
  for (const [name, plot] of Object.entries(sources.plots)) {
    for (const property of [plot.x_range.properties.start, plot.x_range.properties.end, plot.properties.inner_width]) {
      property.change.connect(() => drawBar(name));
    }
    drawBar(name);
  }

  // --- frames
  let playing = false;
  const frameTo = (frame) => ask("scan", { frame: limit(frame, 0, shape.frames - 1) });
  const button = one('[data-action="play"]');
  const play = (on) => {
    playing = on && shape.frames > 1;
    button.textContent = playing ? "■ stop" : "▶ play";
    if (playing) next();
  };
  const next = () => { if (playing) frameTo((screen.frame + 1) % shape.frames); };
  let played = 0;
  screen.properties.answered.change.connect(() => {
    const done = screen.answered.scan || 0;
    if (playing && done > played) setTimeout(next, 150);
    played = done;
  });
  const frameBy = (change) => frameTo(wanted("scan", "frame") + change);

  // --- panels and buttons
  const panel = (name) => {
    all("[data-panel]").forEach((element) => { element.hidden = element.dataset.panel !== name; });
    all("[data-tab]").forEach((tab) => tab.setAttribute("aria-selected", String(tab.dataset.tab === name)));
  };
  all("[data-tab]").forEach((tab) => tab.addEventListener("click", () => panel(tab.dataset.tab)));
  panel("clusters");
  const copied = () => {
    const text = one('[data-fact="recipe"]');
    const note = one('[data-note="copied"]');
    const by_hand = () => { text.select(); document.execCommand("copy"); };
    const done = () => { note.textContent = "copied"; setTimeout(() => { note.textContent = ""; }, 2000); };
    if (navigator.clipboard) navigator.clipboard.writeText(text.value).catch(by_hand).finally(done);
    else { by_hand(); done(); }
  };
  const actions = {
    play: () => play(!playing),
    copy: copied,
    export: () => ask("export", {}),
    disk: () => setDetector({ ...detector(), inner: 0 }),
    annulus: () => setDetector({ ...detector(), inner: detector().inner || detector().outer / 2 }),
  };
  all("[data-action]").forEach((element) => element.addEventListener("click", () => actions[element.dataset.action]()));
  all("[data-show]").forEach((element) => {
    const option = one(`[data-state="shown"] option[value="${element.dataset.show}"]`);
    element.disabled = option.disabled;
    element.title = option.title;
    element.addEventListener("click", () => ask("scan", { shown: element.dataset.show }));
  });

  // --- keys
  // with the mouse on a picture keys are meant for it, not for the control used last
  all(".picture").forEach((picture) => picture.addEventListener("pointerenter", () => document.activeElement.blur()));
  const cycle = (name) => {
    const control = one(`[data-state="${name}"]`);
    const possible = [...control.options].filter((option) => !option.disabled).map((option) => option.value);
    const { channel } = control.dataset;
    ask(channel, { [name]: possible[(possible.indexOf(wanted(channel, name)) + 1) % possible.length] });
  };
  const step = (dy, dx) => (event) => {
    const far = event.shiftKey ? 10 : 1;
    const [y, x] = position();
    held = true;
    cursorTo(y + dy * far, x + dx * far);
  };
  const thresholdBy = (change) => () => {
    const slider = one('[data-state="threshold"]');
    if (!slider) return;
    const changed = Number((wanted("scan", "threshold") + change).toFixed(3));
    choose("threshold", limit(changed, Number(slider.min), 1), "scan");
  };
  const keys = {
    ArrowUp: step(-1, 0), ArrowDown: step(1, 0), ArrowLeft: step(0, -1), ArrowRight: step(0, 1),
    "[": () => frameBy(-1), "]": () => frameBy(1),
    " ": () => play(!playing), Enter: () => { held = true; pick(false); }, Escape: letGo,
    ",": thresholdBy(-0.001), ".": thresholdBy(0.001), "<": thresholdBy(-0.01), ">": thresholdBy(0.01),
    ";": thresholdBy(-0.01), ":": thresholdBy(0.01),
    m: () => cycle("shown"), o: () => cycle("outlined"), p: () => cycle("pattern"), s: () => cycle("tone"),
  };
  ["clusters", "detector", "quality", "recipe", "help"].forEach((name, i) => { keys[String(i + 1)] = () => panel(name); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const field = event.composedPath()[0];
    const own = field.matches && field.matches("input, select, textarea, button, [role=tab]");
    // a field keeps the keys it needs: digits, arrows, space
    if (own && !(field.type === "range" && !event.key.startsWith("Arrow")) && event.key !== "Escape") return;
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });

  const lost = () => {
    one('[data-fact="message"]').textContent = "The explorer has ended: start it again, then load this page anew.";
  };

  return { ask, lost, scanMove, scanTap, patternPanStart, patternPan, patternPanEnd, screen, sources };
};
