import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { createInterface } from 'node:readline'

/** How a process ended. */
export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** How to reach a process whose child process is only an intermediary. */
export interface Handle {
  pid: number
  kill: (signal: NodeJS.Signals) => Promise<void>
}

/** A process that is watched: its output and its end. */
export class Watched {
  readonly name: string
  readonly pid: number
  readonly exited: Promise<Exit>
  exit: Exit | undefined
  /** The lines of both outputs. */
  readonly lines: string[] = []
  readonly #child: ChildProcess
  readonly #kill: Handle['kill'] | undefined
  readonly #waiting = new Set<() => void>()

  constructor(name: string, child: ChildProcess, handle?: Handle) {
    this.name = name
    this.#child = child
    this.#kill = handle?.kill
    this.pid = handle?.pid ?? child.pid ?? 0
    const { promise, resolve } = Promise.withResolvers<Exit>()
    this.exited = promise
    const end = (exit: Exit) => {
      this.exit ??= exit
      resolve(this.exit)
      this.#wake()
    }
    child.once('error', (error) => {
      this.lines.push(error.message)
      end({ code: null, signal: null })
    })
    // `close` rather than `exit`: by then the last line has been read.
    child.once('close', (code, signal) => end({ code, signal }))
    for (const stream of [child.stdout, child.stderr]) if (stream) this.#read(stream)
  }

  #read(stream: NodeJS.ReadableStream): void {
    createInterface({ input: stream }).on('line', (line) => {
      this.lines.push(line)
      this.#wake()
    })
  }

  /** Discards further output unread, because reading takes processor time that is being measured. */
  deafen(): void {
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.removeAllListeners('data').resume()
  }

  #wake(): void {
    for (const check of this.#waiting) check()
  }

  /**
   * The first thing `find` makes of a line, of those written already too.
   * @param timeout milliseconds
   * @throws when the process ends first, with its last lines, or when the time is over
   */
  async line<T>(what: string, find: (line: string) => T | undefined, timeout: number): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    let seen = 0
    const check = () => {
      for (; seen < this.lines.length; seen++) {
        const found = find(this.lines[seen] ?? '')
        if (found !== undefined) return resolve(found)
      }
      if (this.exit) reject(new Error(this.ended(`before ${what}`)))
    }
    const timer = setTimeout(
      () => reject(new Error(`${this.name}: no ${what} within ${timeout / 1000} s${this.#tail()}`)),
      timeout,
    )
    this.#waiting.add(check)
    check()
    return promise.finally(() => {
      clearTimeout(timer)
      this.#waiting.delete(check)
    })
  }

  /** Returns a message for a process that should be running. */
  ended(when: string): string {
    const { code, signal } = this.exit ?? { code: null, signal: null }
    return `${this.name} ended ${when} (${signal ?? `exit code ${code}`})${this.#tail()}`
  }

  #tail(): string {
    return this.lines.length === 0
      ? ''
      : `; it wrote last:\n${this.lines
          .slice(-12)
          .map((line) => `       ${line}`)
          .join('\n')}`
  }

  /** Signals the process, and its group if it leads one. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.pid === undefined) return
    if (this.#kill) return this.exit ? undefined : this.#kill(signal)
    try {
      process.kill(-this.#child.pid, signal)
    } catch {
      // It leads no group, or nothing is left of it.
      if (!this.exit) this.#child.kill(signal)
    }
  }

  /** Ends it: with SIGTERM, and with SIGKILL if it still runs after `grace` milliseconds. */
  async stop(grace: number): Promise<Exit> {
    if (!this.exit) {
      await this.kill('SIGTERM')
      await Promise.race([this.exited, sleep(grace, undefined, { ref: false })])
    }
    await this.kill('SIGKILL')
    return this.exited
  }
}

/** Starts processes and ends all of them, the last first. */
export class Supervisor {
  readonly #all: Watched[] = []

  /** Starts a process in its own group, so that Ctrl-C reaches only this program, which then ends them in order. */
  start(
    name: string,
    command: string,
    args: string[],
    options: Omit<SpawnOptions, 'stdio' | 'detached'> = {},
  ): Watched {
    return this.adopt(name, spawn(command, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] }))
  }

  /** Watches a process that was started elsewhere. */
  adopt(name: string, child: ChildProcess, handle?: Handle): Watched {
    const watched = new Watched(name, child, handle)
    this.#all.push(watched)
    return watched
  }

  /** @param grace milliseconds for each between SIGTERM and SIGKILL */
  async stopAll(grace = 500): Promise<void> {
    for (let watched = this.#all.pop(); watched; watched = this.#all.pop()) await watched.stop(grace)
  }

  /** For the end of this program itself, when there is no time to wait. */
  killNow(): void {
    for (const watched of this.#all) void watched.kill('SIGKILL')
  }
}
