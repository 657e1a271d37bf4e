// A switch between network devices that hands each frame on late, for kernels without netem:
//   relay MICROSECONDS PROCESS DEVICE...
// It goes on in the background once it hears all devices, prints its number as a process, and ends with PROCESS.
// Frames come and go with the header of virtio, so that TCP's large ones are not cut: what a device sends at a time,
// its queue (tbf) decides.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORTS = 64, HEADER = 10, LARGEST = HEADER + 14 + 4 + 65536 + 64, BUFFER = 64 << 20, AT_A_TIME = 64 };

// On its way to all ports of a mask.
struct frame {
  struct frame *next;
  long long due;
  unsigned long long to;
  int bytes;
  char data[];
};

static struct pollfd ports[PORTS];
static int count;
// The port behind which an address was heard last.
static struct { unsigned char address[6]; int port; } known[PORTS];
static int addresses;

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1000000000LL * t.tv_sec + t.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int hear(const char *device) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("socket");
  int one = 1, bytes = BUFFER;
  if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one)) fail("PACKET_VNET_HDR");
  if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one)) fail("PACKET_IGNORE_OUTGOING");
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes)) fail("SO_RCVBUFFORCE");
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes)) fail("SO_SNDBUFFORCE");
  struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
  at.sll_ifindex = if_nametoindex(device);
  if (at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof at)) fail(device);
  return fd;
}

static int find(const unsigned char *address) {
  for (int i = 0; i < addresses; i++)
    if (memcmp(known[i].address, address, 6) == 0) return i;
  return -1;
}

// Where a frame from `port` goes: to the port of its address, or to all others.
static unsigned long long route(const char *data, int port) {
  const unsigned char *to = (const unsigned char *)data + HEADER, *from = to + 6;
  int sender = find(from);
  if (sender < 0 && addresses < PORTS) memcpy(known[sender = addresses++].address, from, 6);
  if (sender >= 0) known[sender].port = port;
  int receiver = find(to);
  if (receiver >= 0) return 1ULL << known[receiver].port & ~(1ULL << port);
  return ((1ULL << (count - 1) << 1) - 1) & ~(1ULL << port);
}

int main(int argc, char **argv) {
  if (argc < 5 || argc - 3 > PORTS) {
    fprintf(stderr, "relay MICROSECONDS PROCESS DEVICE...: expected 2 to %d devices, got %d\n", PORTS, argc - 3);
    return 2;
  }
  long long delay = 1000 * atoll(argv[1]);
  pid_t process = atoi(argv[2]);
  for (; count < argc - 3; count++) ports[count] = (struct pollfd){.fd = hear(argv[count + 3]), .events = POLLIN};
  pid_t own = fork();
  if (own < 0) fail("fork");
  if (own > 0) {
    printf("%d\n", own);
    return 0;
  }
  setsid();
  for (int fd = 0; fd < 3; fd++) close(fd);
  // A wire does not wait for a processor. Where it may not say so, it tries to be on time all the same.
  sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
  prctl(PR_SET_TIMERSLACK, 1);
  struct frame *first = NULL, **last = &first;
  static char data[LARGEST];
  while (kill(process, 0) == 0 || errno == EPERM) {
    long long left = 1000000000;
    for (struct frame *f; (f = first) && (left = f->due - now()) <= 0; left = 1000000000) {
      // What a full queue does not take is lost, as on any wire.
      for (int i = 0; i < count; i++)
        if (f->to >> i & 1) (void)!send(ports[i].fd, f->data, f->bytes, 0);
      if (!(first = f->next)) last = &first;
      free(f);
    }
    if (left > 1000000000) left = 1000000000;
    struct timespec wait = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    if (ppoll(ports, count, &wait, NULL) < 0 && errno != EINTR) return 1;
    for (int i = 0; i < count; i++) {
      if (!ports[i].revents) continue;
      for (int n = 0; n < AT_A_TIME; n++) {
        int bytes = recv(ports[i].fd, data, sizeof data, 0);
        if (bytes < 0 && errno == EAGAIN) break;
        if (bytes < 0) return 1; // the device has gone
        if (bytes < HEADER + 14) continue;
        struct frame *f = malloc(sizeof *f + bytes);
        if (!f) return 1;
        *f = (struct frame){.due = now() + delay, .to = route(data, i), .bytes = bytes};
        memcpy(f->data, data, bytes);
        *last = f;
        last = &f->next;
      }
    }
  }
  return 0;
}
