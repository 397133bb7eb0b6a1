/** An EventSource that is opened again also where a browser gives up: after an answer that is no stream. */

export class Stream {
  #onMessage;
  #onOpen;
  #url = null;
  #source = null;

  /**
   * @param {(message: unknown) => void} onMessage gets each message's JSON
   * @param {() => void} [onOpen]
   */
  constructor(onMessage, onOpen = () => {}) {
    this.#onMessage = onMessage;
    this.#onOpen = onOpen;
    // A page that is kept for the Back button would keep its connection, of which a browser has six a host.
    addEventListener("pagehide", () => this.#stop());
  }

  /** Whether messages can come now. @returns {boolean} */
  get isOpen() {
    return this.#source?.readyState === EventSource.OPEN;
  }

  /** Follow an address, or none. @param {?string} url */
  follow(url) {
    this.#stop();
    this.#url = url;
    this.keepOpen();
  }

  /** To be called from time to time. */
  keepOpen() {
    if (this.#source?.readyState === EventSource.CLOSED) this.#stop();
    if (this.#source !== null || this.#url === null) return;
    this.#source = new EventSource(this.#url);
    this.#source.onopen = this.#onOpen;
    this.#source.onmessage = (message) => this.#onMessage(JSON.parse(message.data));
  }

  #stop() {
    this.#source?.close();
    this.#source = null;
  }
}
