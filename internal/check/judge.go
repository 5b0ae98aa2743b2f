package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// judge says what is to be said about the last name of a chain. Everything is known.
func (k *looking) judge(ctx context.Context, chain []string) Finding {
	p := k.places[chain[len(chain)-1]]
	if p == nil { // too many different ones
		return k.tooLong(chain)
	}
	if len(p.cut) > 0 && p.depth == 1 {
		return k.delegatedTo(p.cut)
	}
	slices.SortFunc(p.told, func(a, b told) int { return strings.Compare(a.who, b.who) })
	tries, by, without := p.tries, map[string][]string{}, []string(nil) // by: who says what
	var two, beside []string
	for _, t := range p.told {
		switch {
		case t.lame != "":
			tries = append(tries, t.who+" "+t.lame)
			continue
		case len(t.cnames) > 1:
			two = t.cnames
		case len(t.cnames) == 1:
			by[t.cnames[0]] = append(by[t.cnames[0]], t.who)
		default:
			without = append(without, t.who)
		}
		if t.txt && len(t.cnames) > 0 {
			beside = append(beside, t.who)
		}
	}
	switch {
	case len(two) > 0:
		return k.two(p.name, two)
	case len(beside) > 0:
		return k.txtBeside(p.name)
	case len(by) == 0 && len(without) == 0:
		return k.unknown(chain, p.lost, tries)
	case len(by) == 0:
		return k.endOfChain(ctx, chain, p.told)
	}
	return k.compare(ctx, chain, by, without)
}

// compare is for what several servers say about a name: by target, and those who
// have no CNAME.
func (k *looking) compare(ctx context.Context, chain []string, by map[string][]string, without []string) (r Finding) {
	right := ""
	for _, target := range slices.Sorted(maps.Keys(by)) {
		if f := k.leadsTo(ctx, chain, target); f.Status == OK {
			r, right = f, target
		} else if r.Check == "" || r.Status == Unknown {
			r = f
		}
	}
	if right == "" {
		return r
	}
	wrong := without
	for target, who := range by {
		if target != right {
			wrong = append(wrong, who...)
		}
	}
	if len(wrong) == 0 {
		return r
	}
	at := chain[len(chain)-1]
	hint := fmt.Sprintf("Make all the domain's DNS servers have %s: a CA asks any of them.", k.add())
	if at != k.Challenge {
		hint = fmt.Sprintf("Make all DNS servers of %s say the same, or replace the CNAME by %s.", at, k.add())
	}
	return k.result(authoritativeDiffer, Failed, seenNotAt+sorted(wrong), hint)
}

// leadsTo judges a CNAME at the end of a chain.
func (k *looking) leadsTo(ctx context.Context, chain []string, next string) Finding {
	switch {
	case next == k.Name:
		return k.result(cnameFine, OK, "CNAME "+next, "")
	case k.c.Zone.Contains(next):
		return k.c.otherTarget(k.lookingFor, next)
	case slices.Contains(chain, next):
		return k.result(cnameLoop, Failed, "a loop of CNAMEs: "+strings.Join(append(slices.Clone(chain), next), " → "),
			fmt.Sprintf("Replace the CNAME, which leads back to itself, by %s.", k.add()))
	case len(chain) == maxChain:
		return k.tooLong(chain)
	}
	return k.judge(ctx, append(slices.Clone(chain), next))
}
