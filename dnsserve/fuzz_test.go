package dnsserve

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// addSeeds adds the questions of the conversations in testdata/dns.
func addSeeds(f testing.TB, add func(wire []byte, tcp bool)) {
	f.Helper()
	files, err := filepath.Glob("../testdata/dns/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal("no conversations", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			for line := range strings.Lines(string(part.Data)) {
				if !strings.HasPrefix(line, "> ") {
					continue
				}
				m, tcp := parseQuestionLine(f, strings.Fields(line[2:]))
				wire, err := m.Pack()
				if err != nil {
					f.Fatal(err)
				}
				add(wire, tcp)
			}
		}
	}
}

// FuzzRespond answers anything in process.
func FuzzRespond(f *testing.F) {
	addSeeds(f, func(wire []byte, tcp bool) { f.Add(wire, tcp) })
	r := challengeResponder(f)
	f.Fuzz(func(t *testing.T, query []byte, tcp bool) {
		before := bytes.Clone(query)
		answer := r.respond(make([]byte, 0, maxUDPAnswer), query, client, tcp)
		if !bytes.Equal(query, before) {
			t.Fatalf("%x: the query was changed", before)
		}
		checkAnswer(t, r, query, answer, tcp)
		sameAnswer(t, r, query, tcp)
	})
}

// FuzzSockets sends anything over real sockets: as a packet, and as a piece of a
// TCP stream, in two parts. A half message at the stream's end is filled up, so
// that one connection does for all.
func FuzzSockets(f *testing.F) {
	addSeeds(f, func(wire []byte, tcp bool) {
		if tcp {
			wire = append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)
		}
		f.Add(wire, uint16(len(wire)/2))
	})
	s := serve(f, func(c *Config) { c.Records = challengeRecords() }, "127.0.0.1:0")
	var udp, tcp *dialogue
	var used time.Time
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		if len(data) > 16<<10 {
			return // of nothing but more of the same
		}
		if time.Since(used) > tcpIdle/2 {
			if udp != nil {
				udp.conn.Close()
				tcp.conn.Close()
			}
			udp, tcp = connect(t, s, "udp"), connect(t, s, "tcp")
		}
		used = time.Now()
		query := data[:min(len(data), maxUDPQuery)]
		checkAnswer(t, &s.responder, query, udp.exchange(t, data), false)

		stream, messages := frames(data)
		at := min(int(cut), len(stream))
		for _, part := range [][]byte{stream[:at], stream[at:]} {
			if _, err := tcp.conn.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range messages {
			if len(m) >= headerLen && m[2]&0x80 == 0 { // no answer to anything else: the next one would not fit
				checkAnswer(t, &s.responder, m, tcp.receive(t), true)
			}
		}
		if got := tcp.exchange(t, []byte("no message")); got != nil {
			t.Fatalf("%x: one answer too many, %x", data, got)
		}
	})
}

// frames returns stream with its last message filled up, and the messages in it,
// as much of each as the server keeps.
func frames(data []byte) (stream []byte, messages [][]byte) {
	stream = bytes.Clone(data)
	if len(stream) == 1 {
		stream = append(stream, 0)
	}
	for at := 0; at < len(stream); {
		if len(stream) < at+2 {
			stream = append(stream, 0)
		}
		end := at + 2 + int(binary.BigEndian.Uint16(stream[at:]))
		if len(stream) < end {
			stream = append(stream, make([]byte, end-len(stream))...)
		}
		messages = append(messages, stream[at+2:min(end, at+2+maxTCPQuery)])
		at = end
	}
	return stream, messages
}
