"""A peer: replace an account as one does with Django REST framework alone."""

from uuid import UUID

from django.db import transaction
from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Account, Consumer, ContactPoint
from accounts.tenancy import acting_for


class PointSerializer(serializers.ModelSerializer):
    class Meta:
        model = ContactPoint
        fields = ("kind", "value")


class PersonSerializer(serializers.ModelSerializer):
    contact_points = PointSerializer(many=True)

    class Meta:
        model = Consumer
        fields = ("first_name", "last_name", "street1", "city", "state", "zip", "contact_points")


class AccountSerializer(serializers.ModelSerializer):
    consumer = PersonSerializer()

    class Meta:
        model = Account
        fields = ("id", "balance_cents", "as_of", "original_creditor", "description", "consumer")

    @transaction.atomic
    def update(self, instance: Account, validated_data: dict) -> Account:
        person = validated_data.pop("consumer")
        points = person.pop("contact_points")
        for row, values in ((instance.consumer, person), (instance, validated_data)):
            for name, value in values.items():
                setattr(row, name, value)
            row.save()
        known = {point.kind: point for point in instance.consumer.contact_points.all()}
        for point in points:
            known[point["kind"]].value = point["value"]
            known[point["kind"]].save()
        return instance


class PlainAccount(APIView):
    authentication_classes = ()
    permission_classes = ()
    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer,)

    def put(self, request: Request, agency_id: UUID, account_id: UUID) -> Response:
        with acting_for(agency_id), transaction.atomic():
            locked = Account.objects.select_for_update(of=("self",)).select_related("consumer")
            serializer = AccountSerializer(locked.get(pk=account_id), data=request.data)
            serializer.is_valid(raise_exception=True)
            serializer.save()
            return Response(serializer.data)
