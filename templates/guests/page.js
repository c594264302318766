// The file is published for one phase. This turns it to the visitor's clock, by the vessel's calendar date, and only
// ever forward: the faces before the published one are not in the file. guests/phases.py is the truth that it mirrors.
(() => {
  const page = document.documentElement, { start: from, end: to, tz: zone, moved } = page.dataset;
  const start = Date.parse(from), end = Date.parse(to), movedUntil = moved ? Date.parse(moved) : 0;
  const faces = ["moved", "booked", "week", "day", "today", "underway", "after"];
  const published = faces.indexOf(page.dataset.phase), MINUTE = 6e4, HOUR = 36e5, DAY = 864e5;
  const calendar = new Intl.DateTimeFormat("sv-SE", { timeZone: zone }); // writes 2026-12-05
  // Calendar dates as whole numbers: their differences are days, also around a clock change.
  const days = now => (Date.parse(calendar.format(start)) - Date.parse(calendar.format(now))) / DAY;
  const some = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

  const byClock = now => {
    if (now >= end) return "after";
    if (now >= start) return "underway";
    const left = days(now);
    if (left < 2) return left < 1 ? "today" : "day";
    return now < movedUntil ? "moved" : left <= 7 ? "week" : "booked";
  };
  const sentence = now => {
    if (now >= end) return "Thank you for sailing with us";
    if (now >= start) {
      const back = Math.max(1, Math.round((end - now) / MINUTE));
      return `Back at the dock in about ${back < 90 ? some(back, "minute") : some(Math.round(back / 60), "hour")}`;
    }
    const minutes = Math.max(1, Math.round((start - now) / MINUTE)), left = days(now);
    if (minutes < 90) return `Departing in ${some(minutes, "minute")}`;
    return left < 1 ? `Today, in ${some(Math.round((start - now) / HOUR), "hour")}` : left < 2 ? "Tomorrow" : `In ${left} days`;
  };
  const turn = () => {
    const now = Date.now(), phase = faces[Math.max(published, faces.indexOf(byClock(now)))];
    page.dataset.phase = phase;
    document.querySelector(".count").textContent = sentence(now);
    let current;
    for (const step of document.querySelectorAll(".plan li")) {
      step.removeAttribute("aria-current");
      if (Date.parse(step.querySelector("time").dateTime) <= now) current = step;
    }
    if (current && now < end) current.setAttribute("aria-current", "step");
  };
  turn();
  setInterval(turn, 30000);
  document.addEventListener("visibilitychange", () => document.hidden || turn());
  if (Intl.DateTimeFormat().resolvedOptions().timeZone !== zone)
    document.querySelector("[data-abroad]").hidden = false; // "time at the dock"
  const share = document.querySelector("[data-share]");
  if (share && navigator.share) {
    share.hidden = false;
    share.addEventListener("click", () => navigator.share({ url: location.href }).catch(() => {}));
  }
})();
