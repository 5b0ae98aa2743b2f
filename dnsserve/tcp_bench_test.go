package dnsserve

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/google/uuid"
)

// tcpRow is how many queries come in a row.
const tcpRow = 100

// BenchmarkTCP is what a query costs that comes over TCP, in a row. The client's part
// of it, on the same machine, is small.
func BenchmarkTCP(b *testing.B) {
	benchTCP(b, serve(b, benchConfig, "127.0.0.1:0"))
}

func benchTCP(b *testing.B, s *Server) {
	b.Helper()
	for _, name := range []string{"known", "unknown"} {
		b.Run(name, func(b *testing.B) {
			ask := rowOverTCP(b, s, benchQueries(b)[name])
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += tcpRow {
				ask()
			}
		})
	}
}

// benchConfig has the server answer from prepared records.
func benchConfig(c *Config) {
	values := []string{"LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"}
	c.Records = &staticRecords{values: map[uuid.UUID][]string{uuid.MustParse(testID): values}, prepared: Prepare(values)}
}

// rowOverTCP returns what sends a query tcpRow times and takes the answers, without
// allocating anything.
func rowOverTCP(t testing.TB, s *Server, msg []byte) (ask func()) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	one := append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)
	if _, err := conn.Write(one); err != nil {
		t.Fatal(err)
	}
	size := make([]byte, 2)
	if _, err := io.ReadFull(conn, size); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint16(size))
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatal(err)
	}
	var queries []byte
	for range tcpRow {
		queries = append(queries, one...)
	}
	answers := make([]byte, tcpRow*(len(size)+len(answer)))
	return func() {
		if _, err := conn.Write(queries); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answers); err != nil {
			t.Fatal(err)
		}
	}
}
