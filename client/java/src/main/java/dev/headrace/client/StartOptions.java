package dev.headrace.client;

import dev.headrace.v1.RunRequest;
import java.time.Duration;

/** Options of a start. Each method sets one option and gives the same object back. */
public final class StartOptions {
  private final RunRequest.Builder request = RunRequest.newBuilder();
  private Duration timeout;

  public StartOptions() {
    linger(Duration.ofSeconds(30));
  }

  /** Names the run; a run that has this name already is joined. A fresh UUID unless set. */
  public StartOptions runId(String runId) {
    request.setRunId(runId);
    return this;
  }

  /**
   * Bounds the whole run, on the server; it then fails with RUN_TIMEOUT. {@link
   * ReadOptions#deadline} bounds only the reader.
   */
  public StartOptions timeout(Duration timeout) {
    this.timeout = timeout;
    request.setTimeout(ReadOptions.message(timeout));
    return this;
  }

  /**
   * Life of the run without a reader; 30 seconds unless set, so that a broken connection
   * can be mended.
   */
  public StartOptions linger(Duration linger) {
    request.setLinger(ReadOptions.message(linger));
    return this;
  }

  /** Refuses any other revision of the program. */
  public StartOptions revision(String revision) {
    request.setRevision(revision);
    return this;
  }

  /**
   * Refuses a program with any other interface: the hash of its names, types and schemas alone, as
   * {@link HeadraceClient#describe} gives it.
   */
  public StartOptions interfaceRevision(String interfaceRevision) {
    request.setInterfaceRevision(interfaceRevision);
    return this;
  }

  /** Kept on the run's record. */
  public StartOptions label(String name, String value) {
    request.putLabels(name, value);
    return this;
  }

  RunRequest request() {
    return request.build();
  }

  /** Null when unset. */
  Duration timeout() {
    return timeout;
  }
}
