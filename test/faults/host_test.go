package faults

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/redistest"
)

// diskFull fills the disk that Redis keeps its data on, and on which the replicas
// have their working directory and their directory for temporary files.
func diskFull(t *testing.T) row {
	disk := t.TempDir()
	must(t, syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"))
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	redis := redistest.Start(t, "--appendonly", "yes", "--dir", disk)
	s := newStage(t, "disk-full", redis.URL())
	s.dir, s.env = disk, []string{"TMPDIR=" + disk}
	s.start(2, false)
	ballast := filepath.Join(disk, "ballast")
	return s.run(fault{
		begin: func() {
			f, err := os.Create(ballast)
			must(t, err)
			defer f.Close()
			for err == nil {
				_, err = f.Write(make([]byte, 512))
			}
			eventually(t, "Redis notices", func() error {
				if err := redis.Client().Set(context.Background(), "other", "x", 0).Err(); err == nil || !strings.Contains(err.Error(), "MISCONF") {
					return os.ErrProcessDone
				}
				return nil
			})
		},
		end: func() { must(t, os.Remove(ballast)) }, lasts: away,
		known: []string{"value"}, unknown: []string{nothing, servfail}, present: "fails", cleanUp: "fails",
	})
}

// All times in the records are by Redis' clock; a replica compares its own with
// nobody's. So a clock that is wrong is wrong between Redis and the replicas.
func clockAhead(t *testing.T) row  { return clock(t, "clock-ahead", "3600") }
func clockBehind(t *testing.T) row { return clock(t, "clock-behind", "-3600") }

// clock sets Redis' clock, a moment after one of three replicas has died: its
// heartbeat must not count for an hour.
func clock(t *testing.T, name, offset string) row {
	redis := redistest.Start(t)
	redis.Kill()
	library, file := filepath.Join(t.TempDir(), "clock.so"), filepath.Join(t.TempDir(), "offset")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-o", library, "testdata/clock.c").CombinedOutput(); err != nil {
		t.Fatalf("the C compiler (apt-get install gcc libc6-dev) says %v: %s", err, out)
	}
	redis.Setenv("LD_PRELOAD="+library, "CLOCK_OFFSET_FILE="+file)
	redis.Run()
	s := newStage(t, name, redis.URL())
	s.start(3, false)
	dies := s.replicas[2]
	s.replicas = s.replicas[:2]
	return s.run(fault{
		begin: func() {
			dies.kill()
			must(t, os.WriteFile(file, []byte(offset), 0o600))
			now, err := redis.Client().Time(context.Background()).Result()
			must(t, err)
			if d := time.Since(now).Abs(); d < 50*time.Minute {
				t.Fatalf("Redis' clock is only %v off", d)
			}
		},
		end: func() { must(t, os.WriteFile(file, []byte("0"), 0o600)) }, lasts: 4 * time.Second,
		known: []string{"value"}, unknown: []string{nothing}, present: "succeeds", cleanUp: "succeeds",
	})
}
