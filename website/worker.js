// Search from a folder: browsers start no worker of a page that was opened as a file, so a hidden frame does its work.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.title = "search";
      document.body.append(this.frame);
      const inside = this.frame.contentWindow;
      const page = inside.document;
      page.open();
      page.write(`<script>
        postMessage = (data) => parent.postMessage(data, "*");
        importScripts = (...urls) => Promise.all(urls.map((source) => new Promise((done, failed) => {
          const script = document.createElement("script");
          Object.assign(script, { src: source, onload: done, onerror: failed });
          document.body.append(script);
        })));
      </script><body><script src="${url}"></script></body>`);
      this.ready = new Promise((done) => this.frame.addEventListener("load", done, { once: true }));
      page.close();
      window.addEventListener("message", (event) => {
        if (event.source !== inside) return;
        const message = new MessageEvent("message", { data: event.data });
        this.dispatchEvent(message);
        this.onmessage?.(message);
      });
    }

    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data, source: parent })));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
