// The page without script is whole; this keeps it up to date. It asks for the same
// address again and puts what is marked data-live in the place of what was there.
"use strict";
(() => {
  const pause = 2000, longest = 30000;
  let tag = "", wait = pause, timer = 0;
  const news = document.getElementById("news");
  const state = document.getElementById("live-state");

  const span = (seconds) => {
    const s = Math.abs(seconds), n = (v, unit) => Math.floor(v) + " " + unit;
    return s < 60 ? n(s, "s") : s < 3600 ? n(s / 60, "min") : s < 172800 ? n(s / 3600, "h") : n(s / 86400, "days");
  };
  const ages = () => {
    for (const t of document.querySelectorAll("time:not(.clock)")) {
      const seconds = (Date.now() - new Date(t.dateTime).getTime()) / 1000;
      let text = Math.abs(seconds) < 1 ? "now" : seconds > 0 ? span(seconds) + " ago" : "in " + span(seconds);
      if (t.className === "full") text = t.title + " (" + text + ")";
      if (t.textContent !== text) t.textContent = text;
    }
  };

  const swap = (fresh) => {
    const newest = document.querySelector("[data-newest]");
    const before = newest ? Number(newest.dataset.newest) : 0;
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      if (!now || now.outerHTML === old.served) continue;
      const held = old.contains(document.activeElement) ? document.activeElement : null;
      const next = document.adoptNode(now);
      next.served = next.outerHTML;
      old.replaceWith(next);
      if (held) {
        const back = (held.id && document.getElementById(held.id)) ||
          [...next.querySelectorAll("a, button")].find((e) => e.href && e.href === held.href) || document.getElementById("main");
        back.focus({preventScroll: true});
      }
    }
    const after = document.querySelector("[data-newest]");
    const count = after && before ? Number(after.dataset.newest) - before : 0;
    if (count > 0) news.textContent = count === 1 ? "1 new message" : count + " new messages";
    ages();
  };

  const poll = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, {headers: tag ? {"If-None-Match": tag, "X-Poll": "1"} : {"X-Poll": "1"}, cache: "no-store", redirect: "error"});
      if (answer.status === 401) {
        location.reload();
        return;
      }
      if (answer.status === 200) {
        tag = answer.headers.get("ETag") || "";
        swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } else if (answer.status === 404) {
        const gone = document.createElement("p");
        gone.className = "notice later";
        gone.setAttribute("role", "status");
        gone.textContent = document.body.dataset.gone;
        document.getElementById("main").prepend(gone);
        return;
      } else if (answer.status !== 304) {
        throw new Error(answer.status);
      }
      wait = pause;
      state.textContent = "";
    } catch {
      wait = Math.min(wait * 2, longest);
      state.textContent = "not up to date: the bridge does not answer";
    }
    timer = setTimeout(poll, wait);
  };

  for (const e of document.querySelectorAll("[data-live]")) e.served = e.outerHTML;
  ages();
  setInterval(ages, 1000);
  if (document.querySelector("[data-live]")) {
    timer = setTimeout(poll, pause);
    document.addEventListener("visibilitychange", poll);
  }
})();
