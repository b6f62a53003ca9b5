/* stream.c - streams, events and graphs: queues of work and the order in which it runs.
 *
 * A stream is a list of work in the order of issue. A recorded event is a piece of work that marks the event;
 * waiting for one is work that first runs the other stream up to that mark. Nothing runs before somebody
 * waits for it (or, by choice, at random moments or at once), so whatever the program reads without waiting
 * is not there yet.
 *
 * The NULL stream: work on it comes after all earlier work of the blocking streams and before all their later
 * work. Streams created with cudaStreamNonBlocking take no part in that.
 */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct work {
    struct work *next;
    const char *name;
    work_function *run; /* NULL: records or waits for `event` */
    void *args;
    size_t size;
    cudaEvent_t event;
    bool waits;
    long mark;
} work;

typedef struct work_list {
    work *first, *last;
} work_list;

struct CUgraph_st {
    object object;
    work_list list;
};

struct CUgraphExec_st {
    object object;
    work_list list;
    int pending; /* launches not yet run */
};

struct CUstream_st {
    object object;
    work_list list;
    bool blocking, running;
    struct CUgraph_st *capture; /* being built from this stream, or NULL */
    bool origin;                /* the capture began here */
    cudaError_t broken;         /* the capture was ended by this */
    enum cudaStreamCaptureMode mode;
    struct CUstream_st *next;
};

struct CUevent_st {
    object object;
    bool timing;
    long marks, done;   /* times recorded, the newest that was reached */
    cudaStream_t where; /* stream of the newest record */
    struct timespec at;
    struct CUgraph_st *capture; /* recorded inside this capture */
    bool joined;
};

static struct CUstream_st null_stream = {.blocking = true};
static struct CUstream_st *streams; /* all but the NULL stream */

/* ---------------------------------------------------------------- lists */

static work *list_add(work_list *list, const work *from, const void *args)
{
    work *w = malloc(sizeof *w);
    if (!w)
        misuse("no memory for a piece of work");
    *w = *from;
    w->next = NULL;
    w->args = NULL;
    if (w->size) {
        w->args = malloc(w->size);
        if (!w->args)
            misuse("no memory for a piece of work");
        memcpy(w->args, args, w->size);
    }
    if (list->last)
        list->last->next = w;
    else
        list->first = w;
    list->last = w;
    return w;
}

static work *list_take(work_list *list)
{
    work *w = list->first;
    if (w) {
        list->first = w->next;
        if (!list->first)
            list->last = NULL;
    }
    return w;
}

static void work_free(work *w)
{
    free(w->args);
    free(w);
}

static void list_clear(work_list *list)
{
    for (work *w; (w = list_take(list));)
        work_free(w);
}

static struct CUstream_st *stream_of(cudaStream_t s, const char *call)
{
    if (!s)
        return &null_stream;
    object_check(s, "stream", call);
    return s;
}

/* ---------------------------------------------------------------- running */

static bool run_next(struct CUstream_st *s);

/* Runs the stream where the event was recorded until the mark is reached. */
static void reach(cudaEvent_t e, long mark)
{
    while (e->done < mark && e->where) {
        struct CUstream_st *s = e->where;
        if (s->running)
            misuse("streams wait for each other");
        if (!run_next(s))
            break;
    }
}

/* False: nothing was left. */
static bool run_next(struct CUstream_st *s)
{
    work *w = list_take(&s->list);
    if (!w)
        return false;
    s->running = true;
    if (w->event && w->waits)
        reach(w->event, w->mark);
    else if (w->event) {
        w->event->done = w->mark;
        clock_gettime(CLOCK_MONOTONIC, &w->event->at);
    } else if (!device_error() && !work_fails(w->name)) {
        memory_open(w->name);
        w->run(w->args);
        memory_close();
    }
    s->running = false;
    work_free(w);
    return true;
}

static void run_all(struct CUstream_st *s)
{
    if (!s->list.first)
        return;
    memory_open(s->list.first->name);
    while (run_next(s))
        ;
    memory_close();
}

static void run_blocking(void)
{
    for (struct CUstream_st *s = streams; s; s = s->next)
        if (s->blocking)
            run_all(s);
}

cudaError_t work_finish(cudaStream_t stream)
{
    if (!stream)
        run_blocking();
    else if (stream->blocking)
        run_all(&null_stream);
    run_all(stream ? stream : &null_stream);
    return device_error();
}

cudaError_t work_finish_all(void)
{
    run_blocking();
    run_all(&null_stream);
    for (struct CUstream_st *s = streams; s; s = s->next)
        run_all(s);
    return device_error();
}

void work_wander(void)
{
    for (struct CUstream_st *s = streams; s; s = s->next)
        for (unsigned n = work_random() % 4; n > 0 && run_next(s); n--)
            ;
}

void work_reset(void)
{
    for (struct CUstream_st *s = streams; s; s = s->next)
        list_clear(&s->list);
    list_clear(&null_stream.list);
    streams = NULL;
    null_stream.capture = NULL;
}

/* ---------------------------------------------------------------- queueing */

bool work_is_captured(cudaStream_t stream)
{
    return stream && stream->capture;
}

cudaError_t work_forbid_capture(void)
{
    cudaError_t error = cudaSuccess;
    for (struct CUstream_st *s = streams; s; s = s->next)
        if (s->capture && s->mode != cudaStreamCaptureModeRelaxed) {
            s->broken = cudaErrorStreamCaptureInvalidated;
            error = cudaErrorStreamCaptureUnsupported;
        }
    return error;
}

static cudaError_t queue(struct CUstream_st *s, const work *w, const void *args)
{
    if (s->broken)
        return s->broken;
    if (s->capture) {
        list_add(&s->capture->list, w, args);
        return cudaSuccess;
    }
    if (s == &null_stream) {
        for (struct CUstream_st *t = streams; t; t = t->next)
            if (t->capture && t->blocking)
                return t->broken = cudaErrorStreamCaptureImplicit;
        run_blocking();
    } else if (s->blocking)
        run_all(&null_stream);
    list_add(&s->list, w, args);
    if (work_order() == STANDIN_EAGER)
        run_all(s);
    return cudaSuccess;
}

cudaError_t work_queue(cudaStream_t stream, const char *name, work_function *run, const void *args, size_t size)
{
    const work w = {.name = name, .run = run, .size = size};
    return queue(stream_of(stream, name), &w, args);
}

/* ---------------------------------------------------------------- streams */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags)
{
    cudaError_t error = call_begin("cudaStreamCreateWithFlags", CALL_ALLOCATES);
    if (error)
        return call_end(error);
    if (!stream || (flags & ~(unsigned)cudaStreamNonBlocking))
        return call_end(cudaErrorInvalidValue);
    if (device_count() == 0)
        return call_end(cudaErrorNoDevice);
    *stream = object_new(sizeof **stream, "stream", "cudaStreamCreateWithFlags");
    (*stream)->blocking = !(flags & cudaStreamNonBlocking);
    (*stream)->next = streams;
    streams = *stream;
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    cudaError_t error = call_begin("cudaStreamDestroy", CALL_RELEASES);
    if (!stream)
        return call_end(cudaErrorInvalidResourceHandle);
    object_check(stream, "stream", "cudaStreamDestroy");
    run_all(stream);
    list_clear(&stream->list);
    if (stream->origin && stream->capture) {
        list_clear(&stream->capture->list);
        object_free(&stream->capture->object);
    }
    for (struct CUstream_st **at = &streams; *at; at = &(*at)->next)
        if (*at == stream) {
            *at = stream->next;
            break;
        }
    object_free(&stream->object);
    return call_end(error);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    cudaError_t error = call_begin("cudaStreamSynchronize", CALL_PLAIN);
    struct CUstream_st *s = stream_of(stream, "cudaStreamSynchronize");
    if (error)
        return call_end(error);
    if (s->capture) {
        s->broken = cudaErrorStreamCaptureInvalidated;
        return call_end(cudaErrorStreamCaptureUnsupported);
    }
    return call_end(work_finish(stream));
}

cudaError_t cudaDeviceSynchronize(void)
{
    cudaError_t error = call_begin("cudaDeviceSynchronize", CALL_PLAIN);
    if (!error)
        error = work_forbid_capture();
    return call_end(error ? error : work_finish_all());
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags)
{
    cudaError_t error = call_begin("cudaStreamWaitEvent", CALL_PLAIN);
    struct CUstream_st *s = stream_of(stream, "cudaStreamWaitEvent");
    object_check(event, "event", "cudaStreamWaitEvent");
    if (error)
        return call_end(error);
    if (flags)
        return call_end(cudaErrorInvalidValue);
    if (event->capture) { /* the stream joins the capture, or the capture's own streams meet again */
        if (s->capture && s->capture != event->capture)
            return call_end(cudaErrorInvalidValue);
        event->joined = true;
        if (!s->capture) {
            s->capture = event->capture;
            s->mode = event->where->mode;
        } else if (event->where != s && !event->where->origin)
            event->where->capture = NULL; /* its work is part of this stream's from here on */
        return cudaSuccess;
    }
    if (s->capture)
        return call_end(s->broken = cudaErrorStreamCaptureIsolation);
    const work w = {.name = "cudaStreamWaitEvent", .event = event, .waits = true, .mark = event->marks};
    return call_end(event->marks ? queue(s, &w, NULL) : cudaSuccess);
}

/* ---------------------------------------------------------------- events */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags)
{
    cudaError_t error = call_begin("cudaEventCreateWithFlags", CALL_ALLOCATES);
    if (error)
        return call_end(error);
    if (!event || (flags & ~(unsigned)(cudaEventBlockingSync | cudaEventDisableTiming)))
        return call_end(cudaErrorInvalidValue);
    *event = object_new(sizeof **event, "event", "cudaEventCreateWithFlags");
    (*event)->timing = !(flags & cudaEventDisableTiming);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    cudaError_t error = call_begin("cudaEventDestroy", CALL_RELEASES);
    if (!event)
        return call_end(cudaErrorInvalidResourceHandle);
    object_check(event, "event", "cudaEventDestroy");
    work_finish_all(); /* work that records or waits for it is still allowed to run */
    object_free(&event->object);
    return call_end(error);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    cudaError_t error = call_begin("cudaEventRecord", CALL_PLAIN);
    struct CUstream_st *s = stream_of(stream, "cudaEventRecord");
    object_check(event, "event", "cudaEventRecord");
    if (error)
        return call_end(error);
    if (event->marks > event->done && event->where && event->where != s)
        reach(event, event->marks); /* one event holds one moment: the older record must not be lost */
    event->where = s;
    event->capture = s->capture;
    event->joined = false;
    if (s->capture)
        return cudaSuccess;
    const work w = {.name = "cudaEventRecord", .event = event, .mark = ++event->marks};
    return call_end(queue(s, &w, NULL));
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    cudaError_t error = call_begin("cudaEventSynchronize", CALL_PLAIN);
    object_check(event, "event", "cudaEventSynchronize");
    if (error)
        return call_end(error);
    if (event->capture)
        return call_end(cudaErrorCapturedEvent);
    reach(event, event->marks);
    return call_end(device_error());
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
    cudaError_t error = call_begin("cudaEventElapsedTime", CALL_PLAIN);
    object_check(start, "event", "cudaEventElapsedTime");
    object_check(end, "event", "cudaEventElapsedTime");
    if (error)
        return call_end(error);
    if (!milliseconds)
        return call_end(cudaErrorInvalidValue);
    if (!start->marks || !end->marks || !start->timing || !end->timing)
        return call_end(cudaErrorInvalidResourceHandle);
    if (start->done < start->marks || end->done < end->marks)
        return call_end(cudaErrorNotReady);
    *milliseconds = (float)((double)(end->at.tv_sec - start->at.tv_sec) * 1e3 +
                            (double)(end->at.tv_nsec - start->at.tv_nsec) * 1e-6);
    return cudaSuccess;
}

/* ---------------------------------------------------------------- capture and graphs */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    cudaError_t error = call_begin("cudaStreamBeginCapture", CALL_PLAIN);
    if (error)
        return call_end(error);
    if (!stream) /* the NULL stream can't be captured */
        return call_end(cudaErrorStreamCaptureUnsupported);
    object_check(stream, "stream", "cudaStreamBeginCapture");
    if (stream->capture)
        return call_end(cudaErrorIllegalState);
    stream->capture = object_new(sizeof *stream->capture, "graph", "cudaStreamBeginCapture");
    stream->origin = true;
    stream->broken = cudaSuccess;
    stream->mode = mode;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    cudaError_t error = call_begin("cudaStreamEndCapture", CALL_PLAIN), broken = cudaSuccess;
    object_check(stream, "stream", "cudaStreamEndCapture");
    if (!graph)
        return call_end(cudaErrorInvalidValue);
    *graph = NULL;
    if (!stream->capture || !stream->origin)
        return call_end(error ? error : cudaErrorStreamCaptureUnmatched);
    struct CUgraph_st *made = stream->capture;
    broken = stream->broken;
    for (struct CUstream_st *s = streams; s; s = s->next)
        if (s->capture == made) {
            if (s != stream)
                broken = cudaErrorStreamCaptureUnjoined;
            s->capture = NULL;
            s->origin = false;
            s->broken = cudaSuccess;
        }
    if (error || broken) {
        list_clear(&made->list);
        object_free(&made->object);
        return call_end(error ? error : broken);
    }
    *graph = made;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
    cudaError_t error = call_begin("cudaGraphInstantiate", CALL_ALLOCATES);
    if (error)
        return call_end(error);
    if (!exec || flags)
        return call_end(cudaErrorInvalidValue);
    object_check(graph, "graph", "cudaGraphInstantiate");
    *exec = object_new(sizeof **exec, "executable graph", "cudaGraphInstantiate");
    for (const work *w = graph->list.first; w; w = w->next)
        list_add(&(*exec)->list, w, w->args);
    return cudaSuccess;
}

static void run_graph(void *args)
{
    cudaGraphExec_t exec = *(cudaGraphExec_t *)args;
    exec->pending--;
    for (const work *w = exec->list.first; w && !device_error(); w = w->next)
        if (w->run && !work_fails(w->name)) {
            memory_open(w->name);
            w->run(w->args);
            memory_close();
        }
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    cudaError_t error = call_begin("cudaGraphLaunch", CALL_PLAIN);
    object_check(exec, "executable graph", "cudaGraphLaunch");
    if (error)
        return call_end(error);
    exec->pending++;
    error = work_queue(stream, "cudaGraphLaunch", run_graph, &exec, sizeof exec);
    if (error)
        exec->pending--;
    return call_end(error);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    cudaError_t error = call_begin("cudaGraphExecDestroy", CALL_RELEASES);
    object_check(exec, "executable graph", "cudaGraphExecDestroy");
    if (exec->pending)
        work_finish_all();
    list_clear(&exec->list);
    object_free(&exec->object);
    return call_end(error);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    cudaError_t error = call_begin("cudaGraphDestroy", CALL_RELEASES);
    object_check(graph, "graph", "cudaGraphDestroy");
    list_clear(&graph->list);
    object_free(&graph->object);
    return call_end(error);
}
