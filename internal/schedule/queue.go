package schedule

import "container/heap"

// queue is a heap of items, the one that is due first at the top.
type queue[K comparable] []*item[K]

func (q *queue[K]) add(i *item[K])  { heap.Push(q, i) }
func (q *queue[K]) take(i *item[K]) { heap.Remove(q, i.place) }

func (q queue[K]) Len() int           { return len(q) }
func (q queue[K]) Less(a, b int) bool { return q[a].due.Before(q[b].due) }
func (q queue[K]) Swap(a, b int) {
	q[a], q[b] = q[b], q[a]
	q[a].place, q[b].place = a, b
}

// Push and Pop are for package heap.
func (q *queue[K]) Push(x any) {
	i := x.(*item[K])
	i.place = len(*q)
	*q = append(*q, i)
}

func (q *queue[K]) Pop() any {
	last := len(*q) - 1
	i := (*q)[last]
	(*q)[last], i.place = nil, -1
	*q = (*q)[:last]
	return i
}
