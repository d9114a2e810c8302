"""scikit-learn's callback protocol: tasks in order, stopping, scores of the network as it stands, teardown."""

import numpy as np
import pytest

pytest.importorskip("sklearn.callback")
from sklearn import callback as sklearn_callback
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from byhand.train.estimators import MLPClassifier, MLPRegressor
from byhand.train.loop import DivergedError

X, y = load_iris(return_X_y=True)


class Recorder:
    def __init__(self, stop_at=None):
        self.told, self.stop_at = [], stop_at

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.told.append(("begin", context.task_name))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        score = fitted_estimator.score(X, y) if fitted_estimator is not None else None
        self.told.append(("end", context.task_name, score))
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_at


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("options", [{}, {"optimizer": "lbfgs"}, {"early_stopping": True}], ids=str)
def test_tasks_in_order_and_scores(kind, options):
    recorder = Recorder()
    model = kind(max_epochs=3, random_state=0, **options).set_callbacks(recorder).fit(X, y)
    told = recorder.told
    assert (
        told[0] == "setup" and told[1] == ("begin", "fit") and told[-1] == "teardown" and told[-2][:2] == ("end", "fit")
    )
    assert [t[:2] for t in told[2:-2]] == [("begin", "epoch"), ("end", "epoch")] * model.n_iter_
    scores = [t[2] for t in told if t[:2] == ("end", "epoch")]
    assert len(set(scores)) > 1 or scores[0] == 1.0  # of the network as it stood
    if not options:
        assert scores[-1] == pytest.approx(model.score(X, y))


def test_a_callback_stops_the_fit():
    model = MLPClassifier(max_epochs=9, random_state=0).set_callbacks(Recorder(stop_at=4)).fit(X, y)
    assert model.n_iter_ == 4 and model.history_.stopped == "callback"


def test_callbacks_do_not_change_the_weights_and_are_torn_down_after_an_error():
    plain = MLPClassifier(max_epochs=3, random_state=0).fit(X, y)
    told = MLPClassifier(max_epochs=3, random_state=0).set_callbacks(Recorder()).fit(X, y)
    assert all(np.array_equal(v, told.parameters_[n]) for n, v in plain.parameters_.items())
    recorder = Recorder()
    wild = MLPClassifier(max_epochs=3, activation="identity", optimizer="sgd", learning_rate=1e200, random_state=0)
    with pytest.raises(DivergedError):
        wild.set_callbacks(recorder).fit(X, y)
    assert recorder.told[-1] == "teardown"


@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_own_callbacks():
    monitor = sklearn_callback.ScoringMonitor(scoring="accuracy")
    MLPClassifier(max_epochs=4, random_state=0).set_callbacks(monitor).fit(X, y)
    assert len(monitor.get_logs().data) >= 4
    search = GridSearchCV(MLPClassifier(max_epochs=2), {"l2": [0.0, 1e-3]}, cv=2)
    assert search.set_callbacks(sklearn_callback.ProgressBar(max_propagation_depth=0)).fit(X, y).best_score_ > 0.3


def test_what_is_no_callback_is_refused():
    with pytest.raises(TypeError, match="callbacks must be instances"):
        MLPClassifier().set_callbacks(lambda epoch: None)
