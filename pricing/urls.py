from django.urls import path

from pricing import views

app_name = "pricing"

urlpatterns = [
    path("", views.price_list, name="price-list"),
    path("calculator/", views.calculator, name="calculator"),
    path("calculator/result/", views.calculator_result, name="calculator-result"),
]
