package dnsserve

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
)

var mutations = flag.Int("mutations", 100_000, "how many messages TestMutations answers")

// TestMutations answers messages that are wellformed but for some random changes:
// without regard to coverage, and so many times as fast as FuzzRespond, whose
// findings it would repeat: the invariants are the same.
func TestMutations(t *testing.T) {
	var seeds [][]byte
	addSeeds(t, func(wire []byte, _ bool) { seeds = append(seeds, wire) })
	r := challengeResponder(t)
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for worker := range workers {
		seed := rand.Uint64()
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(worker)))
			var message, answer []byte
			for range *mutations / workers {
				message = mutate(rng, append(message[:0], seeds[rng.IntN(len(seeds))]...), seeds)
				tcp := rng.IntN(2) == 0
				answer = r.respond(answer[:0], message, client, tcp)
				checkAnswer(t, r, message, answer, tcp)
				sameAnswer(t, r, message, tcp)
			}
		})
	}
	wg.Wait()
}

// mutate changes a message in one to four ways.
func mutate(rng *rand.Rand, m []byte, seeds [][]byte) []byte {
	numbers := []byte{0, 1, 2, 12, 41, 63, 64, 127, 128, 191, 192, 255}
	for range 1 + rng.IntN(4) {
		if len(m) == 0 {
			return m
		}
		at := rng.IntN(len(m))
		switch rng.IntN(8) {
		case 0:
			m[at] ^= 1 << rng.IntN(8)
		case 1:
			m[at] = numbers[rng.IntN(len(numbers))]
		case 2:
			m = m[:at]
		case 3:
			m = append(m[:at], m[min(len(m), at+1+rng.IntN(8)):]...)
		case 4:
			m = append(m[:at], append(bytes.Clone(m[max(0, at-rng.IntN(12)):at]), m[at:]...)...)
		case 5:
			other := seeds[rng.IntN(len(seeds))]
			m = append(m[:at], other[min(len(other), at):]...)
		case 6: // the header's counts
			if len(m) >= headerLen {
				binary.BigEndian.PutUint16(m[4+2*rng.IntN(4):], uint16(rng.IntN(4)))
			}
		case 7:
			m = append(m, seeds[rng.IntN(len(seeds))][min(headerLen, at):]...)
		}
	}
	return m
}
