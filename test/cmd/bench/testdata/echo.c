/* The floor: a server that does nothing but send every packet back, with the
 * batched system calls that are the fastest known way on Linux. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BATCH = 32, SIZE = 1500 };

int main(int argc, char **argv) {
  static char data[BATCH][SIZE];
  static struct sockaddr_in from[BATCH];
  struct iovec iov[BATCH];
  struct mmsghdr m[BATCH];
  if (argc != 3) return 2;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  int room = 4 << 20; /* as the servers have it */
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &a.sin_addr);
  if (bind(fd, (struct sockaddr *)&a, sizeof a)) { perror("bind"); return 1; }
  for (;;) {
    for (int i = 0; i < BATCH; i++) {
      iov[i] = (struct iovec){data[i], SIZE};
      m[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &iov[i], .msg_iovlen = 1};
    }
    int n = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, 0);
    if (n <= 0) continue;
    for (int i = 0; i < n; i++) iov[i].iov_len = m[i].msg_len;
    for (int sent = 0; sent < n;) {
      int k = sendmmsg(fd, m + sent, n - sent, 0);
      sent += k > 0 ? k : 1;
    }
  }
}
