package token

import (
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/quota"
)

func TestTokensMayLiveShorterAndAreRenewedAndOverlapAccordingly(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 5, 12, 0, 0, 0, quota.China)
	book := NewBook("wx", quota.NewCalls(false))
	book.Life = 12 * time.Second
	first, _ := book.Stable(start)
	if again, _ := book.Stable(start.Add(3 * time.Second)); again != first {
		t.Error("a stable token with three quarters of its life left was replaced")
	}
	if renewed, _ := book.Stable(start.Add(5 * time.Second)); renewed == first {
		t.Error("a stable token past a third of its life was not replaced")
	}
	old, _ := book.Classic(start)
	_, _ = book.Classic(start.Add(time.Second))
	if old.Verdict(start.Add(8*time.Second)) != errcode.OK || old.Verdict(start.Add(9*time.Second)) == errcode.OK {
		t.Error("the overlap of classic tokens is not two thirds of their life")
	}
	if first.Verdict(start.Add(12*time.Second)) != errcode.TokenExpired {
		t.Error("a token outlived its life")
	}
}

// What was issued long ago is forgotten: a token that is looked up then was never there.
func TestTheBookIsBounded(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 5, 12, 0, 0, 0, quota.China)
	book := NewBook("wx", quota.NewCalls(false))
	first := book.Issue(Stable, start)
	for range maxIssued - 1 {
		book.Issue(Stable, start)
	}
	if book.Find(first.Value) != first {
		t.Error("the first is gone too early")
	}
	book.Issue(Stable, start)
	if book.Find(first.Value) != nil {
		t.Error("the first is still there")
	}
}
