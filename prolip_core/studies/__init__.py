"""Studies: many trainings on the same photos, to answer a question that one run cannot. `material.prepare` comes first.

`compare_methods`: ProLIP compared with what?
`learning_rates`: how much does the learning rate matter, and what does λ do about it?
`certainty_study`: when is it not sure, and what is its confidence worth?
`learning_curve`: will more photos help, and of which classes?
`new_classes`: does a class work that is known by its name alone?
`stress`, `second_test`, `transfer`, `test_time`: does the training hold under other conditions?
"""
