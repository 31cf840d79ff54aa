"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const preview = document.getElementById("preview");
  const [picture, words] = preview.children;
  const segmentOf = (element) => data.runs[element.dataset.run].segments[element.dataset.segment];
  const playerOf = (run) => document.getElementById(`video-${data.players[run]}`);

  function play(element) {
    const video = playerOf(element.dataset.run);
    if (!video) return;
    if (video.error) return explain(video);
    const seconds = segmentOf(element).start;
    const go = () => {
      video.currentTime = seconds;
      video.play().catch(() => {});
    };
    if (video.readyState > 0) go();
    else {
      video.addEventListener("loadedmetadata", go, { once: true });
      video.load();
    }
    video.scrollIntoView({ block: "nearest" });
  }

  const types = { mp4: "video/mp4", m4v: "video/mp4", mov: "video/mp4", webm: "video/webm", ogv: "video/ogg",
    mkv: "video/x-matroska", avi: "video/x-msvideo", ts: "video/mp2t" };
  function explain(video) {
    const name = decodeURIComponent(video.getAttribute("src"));
    const ending = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
    const known = types[ending] && video.canPlayType(types[ending]);
    const why = video.error && video.error.code !== 4 ? "it is damaged, or in a codec that this browser does not know"
      : known ? "it is not there any more, or in a codec that this browser does not know"
      : `this browser does not play .${ending} files`;
    video.nextElementSibling.textContent = `The video “${name}” can't be played here: ${why}.`;
    video.hidden = true;
  }
  for (const video of document.querySelectorAll("video")) {
    video.addEventListener("error", () => explain(video));
    if (video.error) explain(video);
  }

  function show(element) {
    const { run, segment } = element.dataset;
    const at = (data.picture_of[run] || [])[segment];
    picture.hidden = at == null;
    if (at != null) picture.src = data.pictures[at];
    words.textContent = data.labels[run][segment];
    preview.hidden = false;
    const box = element.getBoundingClientRect(), chart = element.closest("svg").getBoundingClientRect();
    const room = document.documentElement.clientWidth - preview.offsetWidth - 8;
    const left = Math.max(8, Math.min(room, box.left + box.width / 2 - preview.offsetWidth / 2));
    const above = chart.top - preview.offsetHeight - 8;
    preview.style.left = `${left + scrollX}px`;
    preview.style.top = `${(above > 0 ? above : chart.bottom + 8) + scrollY}px`;
  }
  const hide = () => { preview.hidden = true; };

  for (const chart of document.querySelectorAll(".chart")) {
    const segments = [...chart.querySelectorAll(".segment")];
    const move = (from, to) => {
      if (!segments[to]) return;
      segments[from].tabIndex = -1;
      segments[to].tabIndex = 0;
      segments[to].focus();
    };
    segments.forEach((element, at) => {
      element.addEventListener("mouseenter", () => show(element));
      element.addEventListener("mouseleave", hide);
      element.addEventListener("focus", () => show(element));
      element.addEventListener("blur", hide);
      element.addEventListener("click", () => play(element));
      element.addEventListener("keydown", (event) => {
        const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: segments.length - 1 };
        if (event.key in steps) move(at, steps[event.key]);
        else if (event.key === "Enter" || event.key === " ") play(element);
        else if (event.key === "Escape") hide();
        else return;
        event.preventDefault();
      });
    });
  }
  for (const button of document.querySelectorAll("button[data-segment]")) {
    button.addEventListener("click", () => play(button));
  }

  const opened = [];
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details:not([open])")) {
      details.open = true;
      opened.push(details);
    }
  });
  addEventListener("afterprint", () => {
    for (const details of opened.splice(0)) details.open = false;
  });
})();
