"""The methods to compare ProLIP with, each as a function of tensors: `methods.METHODS` is the one list of them.

Every method takes a `problem.Problem` (support features, class vectors, W₀, logit scale, seed) and gives a `problem.Fitted`,
which answers about features of any photo. None is handed a query photo, and none needs validation photos: what a paper tunes
on a validation set is fixed here, or chosen by cross-validation on the support (`selection.choose`), and the docstring says
which.
"""
