// Events for the tests: number n has hash h<n>.

export function event(seq, more = {}) {
  return {
    seq,
    hash: `h${seq}`,
    kind: "message",
    by: "p_other",
    id: `message-of-other-${seq}`,
    thread: 1,
    at: new Date(1_790_000_000_000 + seq * 60_000).toISOString(),
    data: { text: `text ${seq}` },
    ...more,
  };
}

export function range(from, to) {
  return Array.from({ length: to - from + 1 }, (_, i) => event(from + i));
}

export function seqs(log) {
  return log.events().map(({ seq }) => seq);
}
