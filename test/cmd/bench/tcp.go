package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	tcpConnections = 4
	tcpPipeline    = 32 // queries that a connection has under way
)

// measureTCP loads a server over TCP with pipelined queries (RFC 7766 section 6.2.1.1).
func measureTCP(s *server, queries [][]byte, d time.Duration) (m measured, err error) {
	var answered atomic.Int64
	errs := make([]error, tcpConnections)
	var wg sync.WaitGroup
	cpu, begin := s.cpu(), time.Now()
	end := begin.Add(d)
	for i := range tcpConnections {
		wg.Go(func() { errs[i] = converse(s.address, queries, end, &answered) })
	}
	wg.Wait()
	took := time.Since(begin)
	for _, err := range errs {
		if err != nil {
			return m, fmt.Errorf("%s over TCP: %w", s.name, err)
		}
	}
	if answered.Load() == 0 {
		return m, fmt.Errorf("%s answers nothing over TCP", s.name)
	}
	m.qps = float64(answered.Load()) / took.Seconds()
	m.cpu = (s.cpu() - cpu) / time.Duration(answered.Load())
	return m, nil
}

func converse(address string, queries [][]byte, end time.Time, answered *atomic.Int64) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(end.Add(5 * time.Second))
	in, out := bufio.NewReaderSize(conn, 64<<10), make([]byte, 0, 64<<10)
	for time.Now().Before(end) {
		out = out[:0]
		for range tcpPipeline {
			q := queries[rand.IntN(len(queries))]
			out = binary.BigEndian.AppendUint16(out, uint16(len(q)))
			out = append(out, q...)
		}
		if _, err := conn.Write(out); err != nil {
			return err
		}
		for range tcpPipeline {
			var size [2]byte
			if _, err := io.ReadFull(in, size[:]); err != nil {
				return err
			}
			if _, err := in.Discard(int(binary.BigEndian.Uint16(size[:]))); err != nil {
				return err
			}
			answered.Add(1)
		}
	}
	return nil
}
