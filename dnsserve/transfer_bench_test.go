package dnsserve

import "testing"

// Prepared answers over TCP allocate nothing either, with and without secondaries.
func TestPreparedOverTCPAllocatesNothing(t *testing.T) {
	for what, transfers := range map[string]*Transfers{"without": nil, "with": {Versions: newVersions()}} {
		s := serve(t, func(c *Config) { benchConfig(c); c.Transfers = transfers }, "127.0.0.1:0")
		if n := testing.AllocsPerRun(100, rowOverTCP(t, s, benchQueries(t)["known"])); n >= tcpRow {
			t.Errorf("%s secondaries: %v allocations for %d queries", what, n, tcpRow)
		}
	}
}

// Where there are secondaries the answers to all others are as cheap as without.
func TestPreparedWithSecondariesAllocatesNothing(t *testing.T) {
	r := transferResponder(t)
	allocatesNothing(t, r)
	for name, msg := range benchQueries(t) {
		n := testing.AllocsPerRun(1000, func() {
			if r.transfers.asked(msg) {
				t.Error("it asks for no transfer")
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations a query over TCP", name, n)
		}
	}
}

// transferResponder is benchResponder with a secondary.
func transferResponder(t testing.TB) *responder {
	t.Helper()
	config := testConfig(t, "acme.example.com", []string{"ns.example.com"}, nil)
	benchConfig(&config)
	config.Transfers = &Transfers{Versions: newVersions()}
	r := &responder{}
	if err := r.init(config); err != nil {
		t.Fatal(err)
	}
	return r
}

func BenchmarkRespondWithSecondaries(b *testing.B) { benchRespond(b, transferResponder(b)) }

func BenchmarkTCPWithSecondaries(b *testing.B) {
	benchTCP(b, serve(b, func(c *Config) {
		benchConfig(c)
		c.Transfers = &Transfers{Versions: newVersions()}
	}, "127.0.0.1:0"))
}
