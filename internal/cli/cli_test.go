package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/signpost-acme/signpost/internal/redistest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"signpost": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
		},
	})
}

// TestSessions runs testdata/cli, one file per story. Each finds free ports in
// $DNS, $HTTP, $API and $REDIS (all on 127.0.0.1) and has these commands:
//
//	code N          the last command ended with exit code N
//	redis start     runs a real redis-server on $REDIS; redis stop kills it
//	dig STATUS NAME TYPE [VALUE]  asks $DNS until it answers so, for 10 s at most
//	http CODE PATH [TEXT]         gets PATH from $HTTP likewise
//	world …         a DNS of its own; see worldCommand
func TestSessions(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "../../testdata/cli",
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"DNS", "HTTP", "API", "REDIS"} {
				env.Setenv(name, "127.0.0.1:"+strconv.Itoa(redistest.FreePort(t)))
				env.Setenv(name+"_PORT", env.Getenv(name)[len("127.0.0.1:"):])
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"redis": redisCommand(t),
			"dig":   digCommand,
			"http":  httpCommand,
			"code":  codeCommand,
			"world": worldCommand(t),
		},
	})
}

// codeCommand runs the rest of the line and wants an exit code: code N command…
func codeCommand(ts *testscript.TestScript, _ bool, args []string) {
	want := args[0]
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != want {
		ts.Fatalf("exit code %s, want %s", got, want)
	}
}

func redisCommand(t *testing.T) func(*testscript.TestScript, bool, []string) {
	servers := map[string]*redistest.Server{}
	return func(ts *testscript.TestScript, _ bool, args []string) {
		address := ts.Getenv("REDIS")
		switch args[0] {
		case "start":
			if servers[address] == nil {
				servers[address] = redistest.StartAt(t, address)
			} else {
				servers[address].Run()
			}
		case "stop":
			servers[address].Kill()
		default:
			var words []any
			for _, a := range args {
				words = append(words, a)
			}
			ts.Logf("%v", servers[address].Do(words...))
		}
	}
}

func digCommand(ts *testscript.TestScript, _ bool, args []string) {
	m := new(dns.Msg).SetQuestion(args[1], dns.StringToType[args[2]])
	eventually(ts, func() error {
		got, _, err := (&dns.Client{Timeout: time.Second}).Exchange(m, ts.Getenv("DNS"))
		if err != nil {
			return err
		}
		if status := dns.RcodeToString[got.Rcode]; status != args[0] {
			return fmt.Errorf("%s, want %s", status, args[0])
		}
		if len(args) > 3 && !strings.Contains(fmt.Sprint(got.Answer), args[3]) {
			return fmt.Errorf("%v, want %s in it", got.Answer, args[3])
		}
		return nil
	})
}

func httpCommand(ts *testscript.TestScript, _ bool, args []string) {
	eventually(ts, func() error {
		conn, err := net.DialTimeout("tcp", ts.Getenv("HTTP"), time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", args[1])
		var b strings.Builder
		buf := make([]byte, 64<<10)
		for err == nil {
			var n int
			n, err = conn.Read(buf)
			b.Write(buf[:n])
		}
		if !strings.HasPrefix(b.String(), "HTTP/1.0 "+args[0]) || len(args) > 2 && !strings.Contains(b.String(), args[2]) {
			return fmt.Errorf("%.3000s", b.String())
		}
		return nil
	})
}

func eventually(ts *testscript.TestScript, try func() error) {
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	ts.Fatalf("%v", err)
}
