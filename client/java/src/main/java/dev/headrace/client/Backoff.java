package dev.headrace.client;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/** Delays between tries, growing while there is no progress, and a bound on their number. */
final class Backoff {
  /** A server that never answered is given up sooner: after about a second. */
  private static final int TRIES_TO_REACH = 4;

  /**
   * The delays between tries; and the silence after which a stream is dead, whatever its connection
   * says. Shorter in tests.
   */
  record Delays(Duration first, Duration longest, Duration silence) {
    static final Delays USUAL =
        new Delays(Duration.ofMillis(100), Duration.ofSeconds(5), ReadOptions.HEARTBEAT.multipliedBy(3));
  }

  private final int retries;
  private final Delays delays;
  private boolean reached;
  private int spent;

  Backoff(int retries, Delays delays) {
    this.retries = retries;
    this.delays = delays;
  }

  /** The server has answered before. */
  boolean reached() {
    return reached;
  }

  /** The server is there; that alone is no progress. */
  void answered() {
    reached = true;
  }

  /** Something new came: the count starts afresh. */
  void progressed() {
    reached = true;
    spent = 0;
  }

  /** The delay before the next try, at least what the server asked for; empty to give up. */
  Optional<Duration> nextDelay(Duration asked) {
    if (asked != null && !asked.isZero()) {
      reached = true; // someone there said so
    }

    if (spent >= (reached ? retries : Math.min(retries, TRIES_TO_REACH))) {
      return Optional.empty();
    }

    double grown = delays.first.toNanos() * Math.pow(2, spent);
    double delay = Math.min(grown, delays.longest.toNanos());
    spent++;
    double jittered = delay * ThreadLocalRandom.current().nextDouble(0.5, 1.0);

    return Optional.of((asked == null ? Duration.ZERO : asked).plusNanos((long) jittered));
  }
}
