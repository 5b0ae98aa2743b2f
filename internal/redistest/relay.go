package redistest

import (
	"net"
	"testing"
)

// Accept listens on a free port of 127.0.0.1 until the test ends, and calls handle
// for each connection, one after the other.
func Accept(t testing.TB, handle func(client net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			handle(client)
		}
	}()
	return l
}

// Relay stands in front of the server at address: for each connection that it accepts
// it makes one to the server, and calls pass to start what carries data between them.
func Relay(t testing.TB, address string, pass func(client, upstream net.Conn)) net.Listener {
	t.Helper()
	return Accept(t, func(client net.Conn) {
		upstream, err := net.Dial("tcp", address)
		if err != nil {
			client.Close()
			return
		}
		pass(client, upstream)
	})
}
