/** An EventSource that also reconnects after an answer that is not a stream, when browsers do not. */

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
    // A page that the browser keeps for the Back button would keep its connection; a browser allows six for each host.
    addEventListener("pagehide", () => this.#stop());
  }

  /** Whether the connection is open. @returns {boolean} */
  get isOpen() {
    return this.#source?.readyState === EventSource.OPEN;
  }

  /** Connect to an address; null disconnects. @param {?string} url */
  follow(url) {
    this.#stop();
    this.#url = url;
    this.keepOpen();
  }

  /** Reconnect if the connection is closed; to be called regularly. */
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
