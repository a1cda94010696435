package dev.headrace.client;

import com.google.protobuf.Timestamp;
import dev.headrace.v1.ListRunsRequest;
import dev.headrace.v1.Run;
import java.time.Instant;
import java.util.List;

/**
 * Choice of runs for {@link HeadraceClient#runs(RunFilter)}: those to which all that is set applies.
 * Each method sets one part and gives the same object back.
 */
public final class RunFilter {
  private static final int LARGEST_PAGE = 1000;

  private final ListRunsRequest.Builder request = ListRunsRequest.newBuilder();
  private int limit = 100;

  /** Only runs of this program. */
  public RunFilter program(String name) {
    request.setProgram(name);
    return this;
  }

  /** Only runs in one of these states. */
  public RunFilter states(Run.State... states) {
    request.addAllStates(List.of(states));
    return this;
  }

  /** Only runs that carry this label with this value; call it again for further ones. */
  public RunFilter label(String name, String value) {
    request.putLabels(name, value);
    return this;
  }

  /** Only runs accepted after this moment. */
  public RunFilter createdAfter(Instant moment) {
    request.setCreatedAfter(message(moment));
    return this;
  }

  /** Only runs accepted before this moment. */
  public RunFilter createdBefore(Instant moment) {
    request.setCreatedBefore(message(moment));
    return this;
  }

  /** Most runs to give, the newest ones; 100 unless set. */
  public RunFilter limit(int count) {
    if (count < 1) {
      throw new IllegalArgumentException("limit is " + count + ", and must be 1 or more");
    }

    this.limit = count;
    return this;
  }

  /** The request for a page, once {@code read} runs were given. */
  ListRunsRequest page(String token, int read) {
    return request.clone().setPageSize(Math.min(limit - read, LARGEST_PAGE)).setPageToken(token).build();
  }

  int limit() {
    return limit;
  }

  private static Timestamp message(Instant moment) {
    return Timestamp.newBuilder().setSeconds(moment.getEpochSecond()).setNanos(moment.getNano()).build();
  }
}
