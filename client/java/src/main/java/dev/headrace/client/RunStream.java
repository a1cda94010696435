package dev.headrace.client;

import dev.headrace.v1.Prediction;
import dev.headrace.v1.Run;
import dev.headrace.v1.StreamEvent;
import java.util.Iterator;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;

/**
 * One run as its reader sees it, made by {@link HeadraceClient#run} and {@link HeadraceClient#attach}.
 *
 * <p>Iterate over it once, for its events; close it. A broken connection is mended underneath without
 * loss. Heartbeats stay inside. Tokens inside a merged group may come again after a break, which {@link
 * #text} knows to handle. One thread at a time may read a run; {@link #cancel} may be called from any.
 */
public final class RunStream implements Iterable<StreamEvent>, AutoCloseable {
  private final String id;
  private final HeadraceClient client;
  private final EventStream stream;
  private final Transcript transcript = new Transcript();
  private int cursor;
  private boolean stopsOnLeaving;
  private Prediction prediction;
  private RuntimeException failure;

  RunStream(String id, HeadraceClient client, EventStream stream, int cursor, boolean stopsOnLeaving) {
    this.id = id;
    this.cursor = cursor;
    this.client = client;
    this.stream = stream;
    this.stopsOnLeaving = stopsOnLeaving;
  }

  /** The run's name, for attach, getRun and cancel. */
  public String id() {
    return id;
  }

  /** The last position read: {@link HeadraceClient#attach(String, int, ReadOptions)} goes on from it. */
  public int cursor() {
    return cursor;
  }

  /**
   * The events that are left. Asking for the next one throws a {@link HeadraceException} where the run
   * or its reading fails, and a CancellationException when the thread is interrupted.
   */
  @Override
  public Iterator<StreamEvent> iterator() {
    return new Iterator<>() {
      private StreamEvent ahead;

      @Override
      public boolean hasNext() {
        if (ahead == null) {
          ahead = read();
        }

        return ahead != null;
      }

      @Override
      public StreamEvent next() {
        if (!hasNext()) {
          throw new NoSuchElementException("the run is over");
        }

        StreamEvent event = ahead;
        ahead = null;

        return event;
      }
    };
  }

  /** Reads to the end and gives the run's result. */
  public Prediction prediction() {
    while (prediction == null && read() != null) {
      // read keeps the prediction
    }

    if (prediction == null) { // read from behind it
      prediction = client.recordedPrediction(id);
    }

    return prediction;
  }

  /** Reads to the end and gives the outputs as plain values; whole numbers are Long. */
  public Map<String, Object> outputs() {
    return Outputs.of(prediction());
  }

  /** Reads to the end and gives the outputs as a record or class with fields of their names. */
  public <T> T outputs(Class<T> kind) {
    return Outputs.as(prediction(), kind);
  }

  /** The text of a predictor's field as read so far, of its latest call; empty before it began. */
  public String text(String predictor, String field) {
    return transcript.text(predictor, field);
  }

  /** Stops the run, whoever else reads it, and gives its record. */
  public Run cancel(String reason) {
    return client.cancel(id, reason);
  }

  /** Lets the run go on after this reader closed, for as long as its linger without a reader. */
  public void detach() {
    stopsOnLeaving = false;
  }

  /**
   * Ends the reading. A run of {@link HeadraceClient#run} that is not over is stopped, in at most 3
   * seconds; where that fails, its linger ends it. Closing again does nothing.
   */
  @Override
  public void close() {
    boolean mayGoOn = !stream.isOver() && (failure == null || failure instanceof CancellationException);

    if (stopsOnLeaving && mayGoOn) {
      client.stop(id);
    }

    stopsOnLeaving = false;
    stream.close();
  }

  /** This run, once the server has taken the request. */
  RunStream accepted() {
    try {
      watched(
          () -> {
            stream.accepted();
            return null;
          });
    } catch (RuntimeException refused) {
      close(); // it may have been accepted all the same
      throw refused;
    }

    return this;
  }

  private StreamEvent read() {
    if (failure != null) {
      throw failure;
    }

    StreamEvent event = watched(stream::read);
    keep(event);

    return event;
  }

  private interface Step {
    StreamEvent take() throws InterruptedException;
  }

  /** Keeps the failure of a step. */
  private StreamEvent watched(Step step) {
    try {
      return step.take();
    } catch (InterruptedException interrupted) {
      failure = HeadraceClient.interrupted(id);
    } catch (HeadraceException error) {
      failure = error;
    }

    throw failure;
  }

  private void keep(StreamEvent event) {
    if (event == null) {
      return;
    }

    cursor = Math.max(cursor, event.getSequence());

    if (event.hasToken()) {
      transcript.apply(event.getToken());
    } else if (event.hasPrediction()) {
      prediction = event.getPrediction();
    }
  }
}
