package dev.headrace.client;

import dev.headrace.v1.CancelRunResponse;
import dev.headrace.v1.InputResolved;
import dev.headrace.v1.OutputForm;
import dev.headrace.v1.Prediction;
import dev.headrace.v1.StreamEvent;
import java.util.Iterator;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;

/**
 * One run as its reader sees it, made by {@link HeadraceClient#run} and {@link HeadraceClient#attach}.
 *
 * <p>Iterate over it once, for its events, or over fields of it, for their text; close it. A broken
 * connection is mended underneath without loss. Heartbeats stay inside, and batches are unpacked.
 * Tokens inside a merged group may come again after a break, which {@link #text} knows to handle. One
 * thread at a time may read a run; {@link #answer}, {@link #decline} and {@link #cancel} may be called
 * from any.
 */
public final class RunStream implements Iterable<StreamEvent>, AutoCloseable {
  private final String id;
  private final HeadraceClient client;
  private final EventStream stream;
  private final OutputForm form;
  private final Transcript transcript = new Transcript();
  private int cursor;
  private boolean stopsOnLeaving;
  private Prediction prediction;
  private RuntimeException failure;

  /** {@code form}: that of the outputs it asked for. */
  RunStream(
      String id,
      HeadraceClient client,
      EventStream stream,
      OutputForm form,
      int cursor,
      boolean stopsOnLeaving) {
    this.id = id;
    this.cursor = cursor;
    this.client = client;
    this.stream = stream;
    this.form = form;
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
      prediction = client.recordedPrediction(id, form);
    }

    return prediction;
  }

  /** Reads to the end and gives the outputs as plain values, as {@link Outputs#of} does. */
  public Map<String, Object> outputs() {
    return Outputs.of(prediction());
  }

  /** Reads to the end and gives the outputs as a record or class with fields of their names. */
  public <T> T outputs(Class<T> kind) {
    return Outputs.as(prediction(), kind);
  }

  /**
   * The text of a field as read so far, of its newest call; empty before it began. {@code selector} is
   * "answer" or "compose.answer".
   */
  public String text(String selector) {
    return transcript.text(selector);
  }

  /**
   * The new text of a field as it comes, until the run ends; throws what iterating over events throws.
   * Each reader of a field gets all of its text, and calls of one predictor follow each other. {@code
   * selector} is as in {@link #text}. Events that are read for it are not given to others.
   */
  public Iterable<String> field(String selector) {
    return () -> new FieldReader(selector, transcript, () -> read() != null);
  }

  /** Answers a question of the run, as {@link HeadraceClient#answer(String, String, Object)} does. */
  public InputResolved answer(String inputId, Object value) {
    return client.answer(id, inputId, value);
  }

  /** Answers a question of the run, and says why. */
  public InputResolved answer(String inputId, Object value, String reason) {
    return client.answer(id, inputId, value, reason);
  }

  /** Says that a question of the run will not be answered, or that a tool must not be called. */
  public InputResolved decline(String inputId) {
    return client.decline(id, inputId);
  }

  /** Declines, and says why. */
  public InputResolved decline(String inputId, String reason) {
    return client.decline(id, inputId, reason);
  }

  /** Stops the run, whoever else reads it, and gives its record. */
  public CancelRunResponse cancel(String reason) {
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
