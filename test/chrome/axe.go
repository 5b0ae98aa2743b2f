package chrome

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/chromedp/chromedp"
)

// Axe runs axe-core's rules over what a tab shows, and returns what they find, one line
// each: the rule, its help, and the elements. hack/setup fetches axe-core to
// .cache/axe.min.js, which is two folders up from the tests.
func Axe(tab context.Context) ([]string, error) {
	source, err := os.ReadFile(filepath.Join("..", "..", ".cache", "axe.min.js"))
	if err != nil {
		return nil, fmt.Errorf("%w; hack/setup test fetches it", err)
	}
	if _, err := chromedp.Run(tab, chromedp.Evaluate[bool](string(source)+"; true")); err != nil {
		return nil, err
	}
	const run = `axe.run().then(r => {
		if (r.passes.length < 10) throw new Error("axe looked at nothing");
		return r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.target.join(" ") + " " + n.html.slice(0, 200)).join(", "));
	})`
	return chromedp.Run(tab, chromedp.Evaluate[[]string](run, chromedp.EvalAwaitPromise))
}
