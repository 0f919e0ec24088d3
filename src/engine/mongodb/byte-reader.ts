/** Takes exact numbers of bytes from a stream of chunks; keeps at most one document and one chunk. */

export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);
  #at = 0;
  #isEnded = false;
  /** Bytes taken so far. */
  position = 0;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** Nothing is left, as far as is known. */
  get isEmpty(): boolean {
    return this.#isEnded && this.#at === this.#held.length;
  }

  /** The next bytes where they are in memory already; they stay. */
  peek(length: number): Buffer | undefined {
    return this.#held.length - this.#at < length
      ? undefined
      : this.#held.subarray(this.#at, this.#at + length);
  }

  /** Waits for them. Undefined when the stream ends before. */
  async peekLater(length: number): Promise<Buffer | undefined> {
    await this.#fill(length);
    return this.peek(length);
  }

  /** Takes the next bytes where they are in memory already. */
  take(length: number): Buffer | undefined {
    const bytes = this.peek(length);
    if (bytes !== undefined) this.skip(length);
    return bytes;
  }

  /** Takes the next bytes. Undefined when the stream ends before; nothing is taken then. */
  async read(length: number): Promise<Buffer | undefined> {
    await this.#fill(length);
    return this.take(length);
  }

  /** Only over bytes that were peeked at. */
  skip(length: number): void {
    this.#at += length;
    this.position += length;
  }

  async #fill(length: number): Promise<void> {
    const parts = [this.#held.subarray(this.#at)];
    let have = this.#held.length - this.#at;
    if (have >= length) return;
    while (have < length && !this.#isEnded) {
      const { value, done } = await this.#chunks.next();
      if (done === true) this.#isEnded = true;
      else {
        parts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
        have += value.byteLength;
      }
    }
    this.#held = Buffer.concat(parts);
    this.#at = 0;
  }
}
