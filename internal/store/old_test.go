package store_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/signpost-acme/signpost/internal/redistest"
)

// commands60 are the commands that Signpost sends; Redis 6.0 has them all.
var commands60 = strings.Fields(`HELLO AUTH SELECT PING TIME INFO MULTI EXEC WATCH UNWATCH SCAN GET SET DEL EXISTS PEXPIRE PEXPIREAT
	ZADD ZREM ZRANGE ZRANGEBYSCORE ZREMRANGEBYSCORE HINCRBY HGETALL PUBLISH SUBSCRIBE`)

// newer are options that came after Redis 6.0, by command: a server of that time refuses them.
var newer = map[string][]string{
	"ZRANGE":  {"BYSCORE", "BYLEX", "REV", "LIMIT"},
	"PEXPIRE": {"NX", "XX", "GT", "LT"}, "PEXPIREAT": {"NX", "XX", "GT", "LT"},
	"ZADD": {"GT", "LT"}, "SET": {"GET", "EXAT", "PXAT"}, "HELLO": {"SETNAME"},
}

// newRedis60 stands in front of a server and makes of every command that Redis 6.0
// does not have one that it refuses as 6.0 would: that keeps pipelines and
// transactions in order.
func newRedis60(t *testing.T, server *redistest.Server) (address string) {
	t.Helper()
	l := redistest.Relay(t, server.Addr, func(client, upstream net.Conn) {
		go func() { _, _ = io.Copy(client, upstream); client.Close() }()
		go func() {
			defer upstream.Close()
			for r := bufio.NewReader(client); ; {
				args, err := readCommand(r)
				if err != nil {
					return
				}
				if _, err := upstream.Write(writeCommand(redis60(t, args))); err != nil {
					return
				}
			}
		}()
	})
	return l.Addr().String()
}

// redis60 returns what Redis 6.0 would understand of a command.
func redis60(t *testing.T, args []string) []string {
	command := strings.ToUpper(args[0])
	if !slices.Contains(commands60, command) {
		t.Errorf("%q is sent, which is not on the list of commands", args)
		return append([]string{"UNKNOWN60"}, args...)
	}
	for _, option := range args[1:] {
		if slices.Contains(newer[command], strings.ToUpper(option)) {
			t.Errorf("%q is sent, which Redis 6.0 does not understand", args)
			return []string{command, args[1], "refuse", "this"}
		}
	}
	if command == "INFO" && len(args) > 2 {
		t.Errorf("%q is sent, which Redis 6.0 does not understand", args)
		return []string{"INFO", "a", "syntax", "error"}
	}
	return args
}

func readCommand(r *bufio.Reader) ([]string, error) {
	number := func(prefix string) (int, error) {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		text, ok := strings.CutPrefix(strings.TrimSpace(line), prefix)
		if !ok {
			return 0, fmt.Errorf("no command: %q", line)
		}
		return strconv.Atoi(text)
	}
	n, err := number("*")
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := number("$")
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		args[i] = string(b[:size])
	}
	return args, nil
}

func writeCommand(args []string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, arg := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return b
}
