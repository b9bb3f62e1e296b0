"use strict";
// The tooltip of the pictures. All that it shows is put in as text.
(() => {
  const tip = document.getElementById("tip");
  const pictures = JSON.parse(document.getElementById("pictures").textContent);
  const number = (n) => n.toLocaleString("en-US");
  document.querySelectorAll("svg.memory[data-k]").forEach((svg) => {
    const { names, operators, running, rectangles } = pictures[Number(svg.dataset.k)];
    const place = new Map([...svg.querySelectorAll("rect")].map((rect, k) => [rect, k]));
    const head = svg.viewBox.baseVal.height;
    let shown = null;
    const hide = () => {
      tip.hidden = true;
      if (shown) shown.classList.remove("on");
      shown = null;
    };
    svg.addEventListener("pointermove", (event) => {
      const rect = event.target.closest("rect");
      if (!rect) return hide();
      if (shown && shown !== rect) shown.classList.remove("on");
      shown = rect;
      rect.classList.add("on");
      const [name, first, rows] = rectangles[place.get(rect)];
      const value = (attribute) => rect[attribute].baseVal.value;
      const box = svg.getBoundingClientRect();
      const step = Math.min(running.length - 1, Math.floor(((event.clientX - box.left) / box.width) * running.length));
      const which = rows === 0 ? "" : rows === 1 ? `, row ${first}` : `, rows ${first} to ${first + rows - 1}`;
      const address = head - value("y") - value("height");
      tip.textContent = `${names[name]}${which}\n${number(value("height"))} B at ${number(address)}\nsteps ${number(value("x"))} to ` +
        `${number(value("x") + value("width") - 1)}\nnow step ${number(step)}: ${running[step] < 0 ? "-" : operators[running[step]]}`;
      tip.hidden = false;
      const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
      const below = event.clientY + 16 + tip.offsetHeight < window.innerHeight;
      tip.style.left = `${Math.max(4, left)}px`;
      tip.style.top = `${below ? event.clientY + 16 : Math.max(4, event.clientY - tip.offsetHeight - 10)}px`;
    });
    svg.addEventListener("pointerleave", hide);
  });
})();
