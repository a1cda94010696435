package headrace

import (
	"math/rand/v2"
	"time"
)

var ( // shorter in tests
	firstDelay   = 100 * time.Millisecond
	longestDelay = 5 * time.Second
)

// A server that never answered is given up sooner: after about a second.
const triesToReach = 4

// patience says how long to wait before the next try, and when to give up. Delays double while
// nothing new comes; every new event renews it.
type patience struct {
	retries int
	reached bool
	spent   int
}

func (p *patience) answered() {
	p.reached = true
}

func (p *patience) progressed() {
	p.reached = true
	p.spent = 0
}

// next gives the delay before the next try, at least what the server asked for; false to give up.
func (p *patience) next(asked time.Duration) (time.Duration, bool) {
	if asked > 0 {
		p.reached = true // someone there said so
	}

	allowed := p.retries

	if !p.reached {
		allowed = min(allowed, triesToReach)
	}

	if p.spent >= allowed {
		return 0, false
	}

	delay := min(firstDelay<<min(p.spent, 10), longestDelay)
	p.spent++
	jitter := 0.5 + rand.Float64()/2

	return asked + time.Duration(float64(delay)*jitter), true
}
