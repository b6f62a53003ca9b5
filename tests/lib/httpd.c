/* httpd - a small HTTP server with faults, for the tests of downloads.
 *
 * usage: httpd FOLDER >PORT 2>LOG &
 *
 * Serves the files of FOLDER on 127.0.0.1, prints the port it got, logs one line a request ("GET /a.tar
 * bytes=10- 206") and ends with its parent, or after ten minutes. Range requests and HEAD are answered.
 * Folders in the path ask for faults:
 *   /cut=N/F       every answer breaks off after N bytes of the body
 *   /stall=N/F     every answer goes silent after N bytes of the body
 *   /norange/F     Range is not understood: the whole file, status 200
 *   /wrong/F       the first byte is another one
 *   /status=N/F    status N and no file
 *   /busy=N/F      status 503 for the first N requests to this server
 *   /redirect/F    status 302 to /F
 * Several can follow one another: /redirect/cut=5/F leads to /cut=5/F. */
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct request {
    char method[8], path[1024], range[64];
    const char *file;      /* the part of path behind the faults */
    const char *to;        /* redirect there, or NULL */
    long cut, stall, busy; /* -1: none */
    int status;            /* 0: none asked for */
    bool norange, wrong;
} request;

static void log_line(const request *r, int status)
{
    char line[1200];
    int n = snprintf(line, sizeof line, "%s %s%s%s %d\n", r->method, r->path, *r->range ? " " : "", r->range, status);
    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        exit(1);
}

static void send_all(int to, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(to, data, size);
        if (n <= 0)
            exit(0);
        data += n;
        size -= (size_t)n;
    }
}

static void answer_empty(int to, const request *r, int status, const char *headers)
{
    char text[1400];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %d Answer\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n",
                     status, headers);
    log_line(r, status);
    send_all(to, text, (size_t)n);
}

/* Takes the folders that ask for faults off the front of the path. */
static void parse_faults(request *r)
{
    r->cut = r->stall = r->busy = -1;
    const char *at = r->path;
    for (;;) {
        int used = 0;
        if (sscanf(at, "/cut=%ld%n", &r->cut, &used) == 1 || sscanf(at, "/stall=%ld%n", &r->stall, &used) == 1 ||
            sscanf(at, "/busy=%ld%n", &r->busy, &used) == 1 || sscanf(at, "/status=%d%n", &r->status, &used) == 1) {
            at += used;
        } else if (strncmp(at, "/norange/", 9) == 0) {
            r->norange = true;
            at += 8;
        } else if (strncmp(at, "/wrong/", 7) == 0) {
            r->wrong = true;
            at += 6;
        } else if (strncmp(at, "/redirect/", 10) == 0) {
            r->to = at + 9;
            break;
        } else {
            break;
        }
    }
    r->file = at;
}

static void send_file(int to, const request *r, const char *data, long size)
{
    long first = 0;
    bool ranged = !r->norange && sscanf(r->range, "bytes=%ld-", &first) == 1;
    char head[400];
    if (ranged && first >= size) {
        snprintf(head, sizeof head, "Content-Range: bytes */%ld\r\n", size);
        answer_empty(to, r, 416, head);
        return;
    }
    if (!ranged)
        first = 0;
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %ld\r\nConnection: close\r\n",
                     ranged ? "206 Partial Content" : "200 OK", size - first);
    if (ranged)
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Range: bytes %ld-%ld/%ld\r\n", first, size - 1, size);
    n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    log_line(r, ranged ? 206 : 200);
    send_all(to, head, (size_t)n);
    if (strcmp(r->method, "HEAD") == 0)
        return;
    long length = size - first;
    long limit = r->cut >= 0 ? r->cut : r->stall >= 0 ? r->stall : length;
    if (limit > length)
        limit = length;
    if (r->wrong && first == 0 && limit > 0) {
        char other = (char)(data[0] ^ 1);
        send_all(to, &other, 1);
        first++;
        limit--;
    }
    send_all(to, data + first, (size_t)limit);
    if (r->stall >= 0)
        pause();
}

static void answer(int to, const char *folder, long *requests)
{
    static char text[8192];
    size_t size = 0;
    while (size < sizeof text - 1 && !strstr(text, "\r\n\r\n")) {
        ssize_t n = read(to, text + size, sizeof text - 1 - size);
        if (n <= 0)
            return;
        size += (size_t)n;
    }
    request r = {0};
    if (sscanf(text, "%7s %1023s", r.method, r.path) != 2)
        return;
    const char *range = strcasestr(text, "\r\nRange: ");
    if (range)
        sscanf(range + 9, "%63[^\r\n]", r.range);
    parse_faults(&r);

    char name[2100];
    snprintf(name, sizeof name, "%s%s", folder, r.file);
    struct stat st;
    FILE *file = NULL;
    if (r.busy >= 0 && __atomic_fetch_add(requests, 1, __ATOMIC_SEQ_CST) < r.busy) {
        answer_empty(to, &r, 503, "");
    } else if (r.to) {
        char location[1100];
        snprintf(location, sizeof location, "Location: %s\r\n", r.to);
        answer_empty(to, &r, 302, location);
    } else if (r.status) {
        answer_empty(to, &r, r.status, "");
    } else if (strstr(r.file, "..") || !(file = fopen(name, "rb")) || fstat(fileno(file), &st) ||
               !S_ISREG(st.st_mode)) {
        answer_empty(to, &r, 404, "");
    } else {
        char *data = malloc((size_t)st.st_size + 1);
        if (data && fread(data, 1, (size_t)st.st_size, file) == (size_t)st.st_size)
            send_file(to, &r, data, st.st_size);
        free(data);
    }
    if (file)
        fclose(file);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: httpd FOLDER\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGCHLD, SIG_IGN); /* no zombies */
    signal(SIGPIPE, SIG_IGN);
    alarm(600);
    long *requests = mmap(NULL, sizeof *requests, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (requests == MAP_FAILED || server < 0 || bind(server, (struct sockaddr *)&address, length) ||
        listen(server, 16) || getsockname(server, (struct sockaddr *)&address, &length)) {
        perror("httpd");
        return 4;
    }
    printf("%d\n", ntohs(address.sin_port));
    fclose(stdout);
    for (;;) {
        int client = accept(server, NULL, NULL);
        if (client < 0)
            continue;
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            alarm(60);
            answer(client, argv[1], requests);
            _exit(0);
        }
        close(client);
    }
}
