// The anywidget: one feed a model, however many views show it. With a `tape`, recordings instead.

export default () => {
  let feed;
  return {
    initialize({ model }) {
      if (model.get("tape")) return;
      feed = new Feed(model);
      return () => feed.close();
    },
    render({ model, el }) {
      const tape = model.get("tape");
      const view = tape ? new Player(el, tape) : new View(model, feed, el);
      return () => view.close();
    },
  };
};
