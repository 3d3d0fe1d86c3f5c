// Light or dark: JupyterLab's theme where there is one, else what the system prefers.

const dark = matchMedia("(prefers-color-scheme: dark)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function theme() {
  const light = document.body.dataset.jpThemeLight;
  if (light !== undefined) return light === "true" ? "light" : "dark";
  return dark.matches ? "dark" : "light";
}

// Calls `changed` whenever the theme may have changed; returns what ends that.
function watchTheme(changed) {
  const watch = new MutationObserver(changed);
  watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  dark.addEventListener("change", changed);
  return () => {
    watch.disconnect();
    dark.removeEventListener("change", changed);
  };
}
