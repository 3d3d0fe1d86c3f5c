// The anywidget: one feed a model, however many views show it.

export default () => {
  let feed;
  return {
    initialize({ model }) {
      feed = new Feed(model);
      return () => feed.close();
    },
    render({ model, el }) {
      const view = new View(model, feed, el);
      return () => view.close();
    },
  };
};
